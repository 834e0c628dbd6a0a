mock_provider "google" {}

variables {
  project_id     = "acme-audio"
  project_number = "1"
  rules_folder   = "./tests/rules"
  documents_url  = "https://git.example.com/earmark/blob/main"
  pages          = ["page@example.com"]
  tickets        = ["ticket@example.com"]
}

run "rules_become_alerts" {
  command = plan

  assert {
    condition     = keys(google_monitoring_alert_policy.rule) == ["ExampleBacklog-page", "ExampleBurn-page", "ExampleBurn-ticket"]
    error_message = "There are other alerts than in the file; a rule that records is none."
  }

  assert {
    condition     = google_monitoring_alert_policy.rule["ExampleBacklog-page"].conditions[0].condition_prometheus_query_language[0].duration == "5400s"
    error_message = "1h30m are 5400 s."
  }

  assert {
    condition     = google_monitoring_alert_policy.rule["ExampleBurn-page"].conditions[0].condition_prometheus_query_language[0].duration == "0s"
    error_message = "An alert without `for` fires at once."
  }

  assert {
    condition     = google_monitoring_alert_policy.rule["ExampleBacklog-page"].documentation[0].content == "$${metric.label.value} jobs wait on $${metric_or_resource.label.queue} of $${metric_or_resource.label.cluster}, for $${metric.label.value} s\n\nRunbook: docs/runbooks.md#backlog"
    error_message = "Prometheus' braces mean nothing to Cloud Monitoring, and whoever is woken needs the runbook."
  }

  assert {
    condition     = google_monitoring_alert_policy.rule["ExampleBacklog-page"].documentation[0].links[0].url == "https://git.example.com/earmark/blob/main/docs/runbooks.md#backlog"
    error_message = "The alert does not lead to its runbook."
  }

  assert {
    condition     = google_monitoring_alert_policy.rule["ExampleBurn-page"].severity == "CRITICAL" && google_monitoring_alert_policy.rule["ExampleBurn-ticket"].severity == "WARNING"
    error_message = "Severities are lost."
  }

  assert {
    condition     = yamldecode(output.recording_rules).spec.groups[0].rules[0].record == "queue:earmark_jobs:rate5m"
    error_message = "The rule that records is lost."
  }
}

run "rules_of_the_repository" {
  command = plan

  variables {
    rules_folder = "../../../prometheus"
  }

  assert {
    condition     = contains(keys(google_monitoring_alert_policy.rule), "EarmarkRetentionOverdue-page")
    error_message = "The alerts of the repository are not found."
  }
}

run "budget" {
  command = plan

  variables {
    billing_account = "000000-000000-000000"
    monthly_cost    = 500
    currency        = "EUR"
  }

  assert {
    condition     = google_billing_budget.main[0].amount[0].specified_amount[0].units == "500" && google_billing_budget.main[0].amount[0].specified_amount[0].currency_code == "EUR" && length(google_billing_budget.main[0].threshold_rules) == 4
    error_message = "The budget is another one."
  }
}
