output "regions" {
  description = "What there is in each region: settings, topics, subscriptions, buckets, dataset, accounts, registry, cluster, and the API's address, which the API believes as a proxy's."
  value       = { for region, each in module.region : region => merge(each, { address = module.network.apis[region].address }) }
}

output "apis" {
  description = "Address of each region's API and the DNS records that it needs."
  value       = module.network.apis
}

output "security_policy" {
  description = "Name of the policy at the edge, for the API's backend policy."
  value       = module.network.security_policy
}

output "alerts" {
  description = "Names of the alerts that were made of Prometheus' rules."
  value       = module.monitoring.alerts
}

output "recording_rules" {
  description = "Manifest for managed Prometheus; see the module monitoring."
  value       = module.monitoring.recording_rules
}
