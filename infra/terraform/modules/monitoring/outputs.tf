output "ticket_channels" {
  description = "Full names of the channels for what can wait."
  value       = local.channels.ticket
}

output "page_channels" {
  description = "Full names of the channels for what must not."
  value       = local.channels.page
}

output "alerts" {
  description = "Names of the alerts that were made of rules."
  value       = sort(keys(local.alerts))
}

output "recording_rules" {
  description = "Manifest, for kubectl, with which managed Prometheus records what alerts and dashboards read; empty where no rule records."
  value = length(local.recorded) == 0 ? "" : yamlencode({
    apiVersion = "monitoring.googleapis.com/v1"
    kind       = "ClusterRules"
    metadata   = { name = "earmark-records" }
    spec = {
      groups = [
        for name in distinct([for each in local.recorded : each.group]) : {
          name     = name
          interval = "${var.evaluation_interval_s}s"
          rules    = [for each in local.recorded : each.rule if each.group == name]
        }
      ]
    }
  })
}
