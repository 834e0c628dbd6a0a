locals {
  services = toset([
    "artifactregistry.googleapis.com",
    "bigquery.googleapis.com",
    "bigquerystorage.googleapis.com",
    "binaryauthorization.googleapis.com",
    "billingbudgets.googleapis.com",
    "certificatemanager.googleapis.com",
    "cloudkms.googleapis.com",
    "cloudscheduler.googleapis.com",
    "compute.googleapis.com",
    "container.googleapis.com",
    "containerfilesystem.googleapis.com",
    "containersecurity.googleapis.com",
    "dns.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
    "storageinsights.googleapis.com",
  ])

  # Google's own accounts that encrypt, by the key that they use.
  agents = {
    artifacts = "gcp-sa-artifactregistry.iam.gserviceaccount.com"
    cluster   = "container-engine-robot.iam.gserviceaccount.com"
    disks     = "compute-system.iam.gserviceaccount.com"
    messages  = "gcp-sa-pubsub.iam.gserviceaccount.com"
    runs      = "serverless-robot-prod.iam.gserviceaccount.com"
    secrets   = "gcp-sa-secretmanager.iam.gserviceaccount.com"
  }
}

data "google_project" "main" {
  project_id = var.project_id
}

# Asking for these makes them; the others must be made before the first apply: docs/terraform.md.
data "google_storage_project_service_account" "main" {
  project    = var.project_id
  depends_on = [google_project_service.main]
}

data "google_bigquery_default_service_account" "main" {
  project    = var.project_id
  depends_on = [google_project_service.main]
}

data "google_logging_project_cmek_settings" "main" {
  project    = var.project_id
  depends_on = [google_project_service.main]
}

resource "google_project_service" "main" {
  for_each = local.services

  project            = var.project_id
  service            = each.key
  disable_on_destroy = false
}

resource "google_project_iam_audit_config" "main" {
  for_each = toset(var.audited)

  project = var.project_id
  service = each.key

  audit_log_config {
    log_type = "DATA_READ"
  }

  audit_log_config {
    log_type = "DATA_WRITE"
  }
}

# `roles/storage.objectUser` would let the router delete uploads.
resource "google_project_iam_custom_role" "object_dater" {
  project     = var.project_id
  role_id     = "earmarkObjectDater"
  title       = "Earmark: dates"
  description = "Add, read and date objects; replace and delete none."
  permissions = [
    "storage.objects.create",
    "storage.objects.get",
    "storage.objects.list",
    "storage.objects.update",
  ]
}

# `roles/bigquery.dataEditor` would let a worker delete tables.
resource "google_project_iam_custom_role" "row_writer" {
  project     = var.project_id
  role_id     = "earmarkRowWriter"
  title       = "Earmark: rows"
  description = "Append, read, change and delete rows of tables that are there."
  permissions = [
    "bigquery.datasets.get",
    "bigquery.tables.get",
    "bigquery.tables.getData",
    "bigquery.tables.list",
    "bigquery.tables.updateData",
  ]
}

# `roles/container.viewer` would let operators read whatever runs in any cluster, and the control plane has no address but
# its DNS name, for which `connect` is needed.  What may be done inside, Kubernetes says.
resource "google_project_iam_custom_role" "cluster_visitor" {
  project     = var.project_id
  role_id     = "earmarkClusterVisitor"
  title       = "Earmark: clusters"
  description = "Find a cluster and reach its control plane; see and do nothing in it."
  permissions = [
    "container.clusters.connect",
    "container.clusters.get",
    "container.clusters.list",
  ]
}
