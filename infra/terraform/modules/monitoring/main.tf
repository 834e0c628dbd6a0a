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

  # Prometheus fills in {{ … }}; here the incident shows the value, and labels are filled in by Cloud Monitoring.
  documentation {
    mime_type = "text/markdown"
    subject   = "Earmark: ${each.value[0].alert}"
    content = join("\n\n", compact([
      for text in [
        try(each.value[0].annotations.summary, ""),
        try(each.value[0].annotations.description, ""),
      ] : replace(replace(text, "/\\{\\{ *\\$labels\\.([a-z_]+) *\\}\\}/", "$${metric.label.$1}"), "/\\{\\{[^}]*\\}\\}/", "N")
    ]))

    dynamic "links" {
      for_each = var.documents_url == "" ? [] : [try(each.value[0].annotations.runbook, try(each.value[0].annotations.runbook_url, "docs/runbooks.md"))]

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
  }
}
