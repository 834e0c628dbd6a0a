locals {
  files  = { for name in fileset(var.rules_folder, "*.rules.yml") : name => yamldecode(file("${var.rules_folder}/${name}")) }
  groups = flatten([for file in local.files : file.groups])
  rules  = flatten([for group in local.groups : [for rule in group.rules : { group = group.name, rule = rule }]])

  # One alert may have several rules, of one severity each.
  alerts = {
    for each in local.rules :
    "${each.rule.alert}-${try(each.rule.labels.severity, "ticket")}" => each.rule...
    if can(each.rule.alert)
  }
  group_of = { for each in local.rules : each.rule.alert => each.group... if can(each.rule.alert) }

  # Prometheus writes 1h30m where Cloud Monitoring wants seconds.
  units  = { d = 86400, h = 3600, m = 60, s = 1 }
  pauses = distinct([for each in local.rules : try(each.rule.for, "0s")])
  seconds = {
    for pause in local.pauses : pause => sum([
      for part in regexall("([0-9]+)([dhms])", pause) : tonumber(part[0]) * local.units[part[1]]
    ])
  }

  # docs/runbooks.md#alert, below documents_url.
  runbooks = {
    for key, rules in local.alerts : key => try(rules[0].annotations.runbook, rules[0].annotations.runbook_url, "docs/runbooks.md")
  }

  # What the rules say in Prometheus' templates, in Cloud Monitoring's variables; gcloud's own migration translates alike.
  # A label is the metric's or, as `cluster`, the resource's.  Seconds are given as they are; what is unknown shows as (none).
  label = "/\\{\\{ *(?:or +)?\\$labels\\.([a-z_]+)(?: +\"[^\"]*\")? *\\}\\}/"
  time  = "/\\{\\{ *\\$value *\\| *humanizeDuration *\\}\\}/"
  value = "/\\{\\{ *\\$value(?: *\\| *humanize(?:Percentage)?)? *\\}\\}/"
  documents = {
    for key, rules in local.alerts : key => join("\n\n", compact([
      for text in [
        try(rules[0].annotations.summary, ""),
        try(rules[0].annotations.description, ""),
        "Runbook: ${local.runbooks[key]}",
      ] :
      replace(
        replace(replace(text, local.label, "$${metric_or_resource.label.$1}"), local.time, "$${metric.label.value} s"),
        local.value, "$${metric.label.value}"
      )
    ]))
  }

  severities = { page = "CRITICAL", ticket = "WARNING" }
  channels = {
    page   = concat([for channel in google_monitoring_notification_channel.page : channel.id], var.page_channels)
    ticket = [for channel in google_monitoring_notification_channel.ticket : channel.id]
  }

  recorded = [for each in local.rules : each if can(each.rule.record)]
}

resource "google_monitoring_notification_channel" "page" {
  for_each = toset(var.pages)

  project      = var.project_id
  display_name = "Earmark, pages: ${each.key}"
  type         = "email"
  labels       = { email_address = each.key }
}

resource "google_monitoring_notification_channel" "ticket" {
  for_each = toset(var.tickets)

  project      = var.project_id
  display_name = "Earmark, tickets: ${each.key}"
  type         = "email"
  labels       = { email_address = each.key }
}

resource "google_monitoring_alert_policy" "rule" {
  for_each = local.alerts

  project               = var.project_id
  display_name          = "${local.group_of[each.value[0].alert][0]}/${each.value[0].alert}"
  combiner              = "OR"
  severity              = local.severities[try(each.value[0].labels.severity, "ticket")]
  notification_channels = local.channels[try(each.value[0].labels.severity, "ticket")]
  user_labels           = var.labels

  dynamic "conditions" {
    for_each = each.value

    content {
      display_name = "${conditions.value.alert} ${conditions.key + 1}"

      condition_prometheus_query_language {
        query               = trimspace(conditions.value.expr)
        duration            = "${local.seconds[try(conditions.value.for, "0s")]}s"
        evaluation_interval = "${var.evaluation_interval_s}s"
        rule_group          = local.group_of[conditions.value.alert][0]
        alert_rule          = conditions.value.alert
        labels              = { for name, value in try(conditions.value.labels, {}) : name => tostring(value) }

        # A metric that nobody has sent yet, as on the day of the first apply, must not keep the alert from being made.
        disable_metric_validation = true
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    subject   = "Earmark: ${each.value[0].alert}"
    content   = local.documents[each.key]

    dynamic "links" {
      for_each = var.documents_url == "" ? [] : [local.runbooks[each.key]]

      content {
        display_name = "Runbook"
        url          = startswith(links.value, "https://") ? links.value : "${var.documents_url}/${links.value}"
      }
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }

  lifecycle {
    precondition {
      condition     = contains(keys(local.severities), try(each.value[0].labels.severity, "ticket"))
      error_message = "${each.key}: the severity of an alert is page or ticket."
    }

    precondition {
      condition     = !strcontains(local.documents[each.key], "{{")
      error_message = "${each.key}: Cloud Monitoring knows no such template: ${local.documents[each.key]}"
    }
  }
}
