# Whether what runs by the clock did: a job that fails, and one that was never started, which leaves no failure behind.

locals {
  executions = {
    for name in keys(var.jobs) :
    name => "run_googleapis_com:job_completed_execution_count{monitored_resource=\"cloud_run_job\",location=\"${var.region}\",job_name=\"${var.prefix}-${name}\""
  }
}

resource "google_monitoring_alert_policy" "failed" {
  for_each = var.jobs

  project               = var.project_id
  display_name          = "${var.prefix}: the job ${each.key} failed"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = var.notification_channels
  user_labels           = var.labels

  conditions {
    display_name = "A run of ${google_cloud_run_v2_job.main[each.key].name} failed within an hour, its second try too"

    condition_prometheus_query_language {
      query                     = "sum(increase(${local.executions[each.key]},result=\"failed\"}[1h])) > 0"
      duration                  = "0s"
      evaluation_interval       = "300s"
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "What was to be done by the clock was not done.\n\nRunbook: ${each.value.runbook}"

    dynamic "links" {
      for_each = var.documents_url == "" ? [] : [each.value.runbook]

      content {
        display_name = "Runbook"
        url          = "${var.documents_url}/${links.value}"
      }
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }
}

# A day and an hour: more than 25 hours together Cloud Monitoring takes as a preview only.
resource "google_monitoring_alert_policy" "missed" {
  for_each = var.jobs

  project               = var.project_id
  display_name          = "${var.prefix}: the job ${each.key} has not succeeded for a day"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = var.notification_channels
  user_labels           = var.labels

  conditions {
    display_name = "No run of ${google_cloud_run_v2_job.main[each.key].name} succeeded within 25 hours"

    condition_prometheus_query_language {
      query                     = "(sum(increase(${local.executions[each.key]},result=\"succeeded\"}[1d])) or vector(0)) < 0.5"
      duration                  = "3600s"
      evaluation_interval       = "300s"
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "It failed, it still runs, or nothing started it.\n\nRunbook: ${each.value.runbook}"

    dynamic "links" {
      for_each = var.documents_url == "" ? [] : [each.value.runbook]

      content {
        display_name = "Runbook"
        url          = "${var.documents_url}/${links.value}"
      }
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }
}
