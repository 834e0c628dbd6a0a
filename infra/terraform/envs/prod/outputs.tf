output "regions" {
  description = "What there is in each region: settings, topics, subscriptions, buckets, dataset, accounts, registry, cluster, the API's address."
  value       = module.earmark.regions
}

output "apis" {
  description = "Address of each region's API and the DNS records that it needs."
  value       = module.earmark.apis
}

output "recording_rules" {
  description = "Manifest for managed Prometheus: terraform output -raw recording_rules | kubectl apply -f -"
  value       = module.earmark.recording_rules
}

output "alerts" {
  description = "Names of the alerts that were made of Prometheus' rules."
  value       = module.earmark.alerts
}

output "security_policy" {
  description = "Name of the policy at the edge, which the API's backend policy names (infra/kubernetes/components/gateway)."
  value       = module.earmark.security_policy
}
