# What no metric of ours can tell: whether anybody reaches the API, and what Google charges.

resource "google_monitoring_uptime_check_config" "api" {
  for_each = toset(var.api_hosts)

  project      = var.project_id
  display_name = "Earmark: ${each.key} answers"
  timeout      = "10s"
  period       = "60s"

  http_check {
    path         = "/healthz"
    port         = 443
    use_ssl      = true
    validate_ssl = true
  }

  monitored_resource {
    type   = "uptime_url"
    labels = { project_id = var.project_id, host = each.key }
  }
}

resource "google_monitoring_alert_policy" "unreachable" {
  for_each = toset(var.api_hosts)

  project               = var.project_id
  display_name          = "Earmark: ${each.key} cannot be reached from outside"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.channels.page
  user_labels           = var.labels

  conditions {
    display_name = "Two places or more could not reach it for three minutes"

    condition_threshold {
      filter          = "resource.type = \"uptime_url\" AND metric.type = \"monitoring.googleapis.com/uptime_check/check_passed\" AND metric.labels.check_id = \"${google_monitoring_uptime_check_config.api[each.key].uptime_check_id}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 1
      duration        = "180s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_NEXT_OLDER"
        cross_series_reducer = "REDUCE_COUNT_FALSE"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Look at the Gateway and the pods of `api` first.\n\nRunbook: docs/runbooks.md"

    dynamic "links" {
      for_each = var.documents_url == "" ? [] : ["docs/runbooks.md"]

      content {
        display_name = "Runbook"
        url          = "${var.documents_url}/${links.value}"
      }
    }
  }
}

resource "google_billing_budget" "main" {
  count = var.billing_account == "" ? 0 : 1

  billing_account = var.billing_account
  display_name    = "Earmark: ${var.project_id}"

  budget_filter {
    projects = ["projects/${var.project_number}"]
  }

  amount {
    specified_amount {
      currency_code = var.currency
      units         = tostring(var.monthly_cost)
    }
  }

  dynamic "threshold_rules" {
    for_each = [
      { percent = 0.5, basis = "CURRENT_SPEND" },
      { percent = 0.9, basis = "CURRENT_SPEND" },
      { percent = 1.0, basis = "CURRENT_SPEND" },
      { percent = 1.0, basis = "FORECASTED_SPEND" },
    ]

    content {
      threshold_percent = threshold_rules.value.percent
      spend_basis       = threshold_rules.value.basis
    }
  }

  all_updates_rule {
    monitoring_notification_channels = local.channels.ticket
    disable_default_iam_recipients   = false
  }
}
