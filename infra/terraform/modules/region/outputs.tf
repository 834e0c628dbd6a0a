locals {
  # What processes of this region are set to; all else has defaults in docs/settings.md.
  # Topics refuse what arrives in another region, and the global address takes it to the nearest one.
  settings = merge({ EARMARK_GCP_PUBSUB_ENDPOINT = "${var.region}-pubsub.googleapis.com:443" }, var.settings, {
    EARMARK_BACKEND      = "gcp"
    EARMARK_GCP_PROJECT  = var.project_id
    EARMARK_GCP_PREFIX   = var.prefix
    EARMARK_GCP_LOCATION = var.region
    EARMARK_LEASE_S      = tostring(var.lease_s)
  })
}

output "settings" {
  description = "Environment of every process of this region, for the manifests' ConfigMap."
  value       = local.settings
}

output "topics" {
  description = "Full name of each topic."
  value       = merge(module.lanes.topics, module.events.topics)
}

output "subscriptions" {
  description = "Full name of each subscription."
  value       = merge(module.lanes.subscriptions, module.events.subscriptions)
}

output "buckets" {
  description = "Name of each bucket, by its short one."
  value       = module.buckets.names
}

output "dataset" {
  description = "Name of the dataset."
  value       = module.warehouse.dataset
}

output "service_accounts" {
  description = "Address of each component's account, for the annotation of its Kubernetes service account."
  value       = module.identity.emails
}

output "registry" {
  description = "Where images are pushed to."
  value       = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.main.repository_id}"
}

output "cluster_command" {
  description = "What gives kubectl access to the cluster."
  value       = module.workers.credentials_command
}
