# Log lines name tenants, so they stay in the region as well, and with our key.

locals {
  # What our processes write: in the cluster's namespace, and by the clock.
  log_filter = join(" OR ", [
    "(resource.type=\"k8s_container\" AND resource.labels.namespace_name=\"${var.prefix}\" AND resource.labels.location=\"${var.region}\")",
    "(resource.type=\"cloud_run_job\" AND resource.labels.location=\"${var.region}\")",
  ])
}

resource "google_logging_project_bucket_config" "main" {
  project        = var.project_id
  location       = var.region
  bucket_id      = var.prefix
  description    = "What Earmark's processes write in ${var.region}"
  retention_days = var.log_days

  cmek_settings {
    kms_key_name = module.keys.keys["logs"]
  }
}

resource "google_logging_project_sink" "main" {
  project                = var.project_id
  name                   = var.prefix
  destination            = "logging.googleapis.com/${google_logging_project_bucket_config.main.id}"
  filter                 = local.log_filter
  unique_writer_identity = true
}

# Not in the project's own bucket too, which may be anywhere.
resource "google_logging_project_exclusion" "main" {
  project     = var.project_id
  name        = var.prefix
  description = "Kept in ${var.region} by the sink ${google_logging_project_sink.main.name}"
  filter      = local.log_filter
}
