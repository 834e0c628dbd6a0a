locals {
  # Written by `python -m runtime.gcp.terraform_tables` from the row types; a test keeps it fresh.
  declared = jsondecode(file("${path.module}/tables.json"))
  source   = "`${var.project_id}`.`${google_bigquery_dataset.main.dataset_id}`"
  views    = { for name, view in local.declared.views : name => merge(view, { query = replace(view.query, "{dataset}", local.source) }) }
}

resource "google_bigquery_dataset" "main" {
  project                    = var.project_id
  dataset_id                 = replace(var.prefix, "-", "_")
  location                   = var.location
  description                = "Rows of Earmark: every version of each row in *_rows, the last one in the view without that word."
  labels                     = var.labels
  delete_contents_on_destroy = var.disposable

  # What receipts of erasures say remains for so long, in hours: seven days; BigQuery's own fail-safe follows.
  max_time_travel_hours = "168"

  default_encryption_configuration {
    kms_key_name = var.kms_key
  }
}

resource "google_bigquery_table" "rows" {
  # checkov:skip=CKV_GCP_121:deletion protection is on wherever the environment is not disposable
  for_each = local.declared.tables

  project             = var.project_id
  dataset_id          = google_bigquery_dataset.main.dataset_id
  table_id            = each.key
  description         = each.value.description
  labels              = var.labels
  schema              = jsonencode(each.value.schema)
  clustering          = each.value.clustering
  deletion_protection = !var.disposable

  time_partitioning {
    type  = "DAY"
    field = "at"
  }

  encryption_configuration {
    kms_key_name = var.kms_key
  }
}
