output "cluster" {
  description = "Name of the cluster."
  value       = google_container_cluster.main.name
}

output "workload_pool" {
  description = "Pool of the identities of Kubernetes' service accounts: there once a cluster of the project is."
  value       = google_container_cluster.main.workload_identity_config[0].workload_pool
}

output "credentials_command" {
  description = "What gives kubectl access, over the control plane's DNS name."
  value       = "gcloud container clusters get-credentials ${google_container_cluster.main.name} --region ${google_container_cluster.main.location} --project ${google_container_cluster.main.project} --dns-endpoint"
}

output "pools" {
  description = "Names of the pools, by the label earmark/role that pods choose by."
  value       = { for name, pool in google_container_node_pool.main : name => pool.node_config[0].labels["earmark/role"] }
}
