# Log lines name tenants, so they stay in the region as well, and with our key.

locals {
  log_filter = join(" OR ", compact([
    # What our processes write: in the cluster's namespace, and by the clock.
    "(resource.type=\"k8s_container\" AND resource.labels.namespace_name=\"${var.prefix}\" AND resource.labels.location=\"${var.region}\")",
    "(resource.type=\"cloud_run_job\" AND resource.labels.location=\"${var.region}\")",

    # Requests, by the namespace in the names that the Gateway gives, or by the API's host.
    "(resource.type=\"http_load_balancer\" AND resource.labels.url_map_name=~\"^gkegw1-[a-z0-9]+-${var.prefix}-api-\")",
    var.host == "" ? "" : "(resource.type=\"http_load_balancer\" AND httpRequest.requestUrl:\"://${var.host}/\")",

    # Who read and wrote what: names of customers' files, queries, uses of keys.
    "(log_id(\"cloudaudit.googleapis.com/data_access\") AND (${local.log_resources}))",
  ]))

  log_resources = join(" OR ", [
    "resource.labels.location=\"${var.region}\"",
    "resource.labels.bucket_name=(${join(" OR ", [for name in values(module.buckets.names) : "\"${name}\""])})",
    "resource.labels.dataset_id=\"${module.warehouse.dataset}\"",
  ])
}

resource "google_logging_project_bucket_config" "main" {
  project        = var.project_id
  location       = var.region
  bucket_id      = var.prefix
  description    = "What Earmark's processes write in ${var.region}, who asked them, and who read what"
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

# Not in the project's own bucket too, which is a global one with Google's key.
resource "google_logging_project_exclusion" "main" {
  project     = var.project_id
  name        = var.prefix
  description = "Kept in ${var.region} by the sink ${google_logging_project_sink.main.name}"
  filter      = local.log_filter
}
