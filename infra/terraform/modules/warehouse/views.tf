# BigQuery refuses a view over one that is not there yet, so they are made layer by layer.

resource "google_bigquery_table" "latest" {
  # checkov:skip=CKV_GCP_80:a view holds no rows, so there is nothing to encrypt
  # checkov:skip=CKV_GCP_121:a view holds no rows, so there is nothing to protect
  for_each = { for name, view in local.views : name => view if view.layer == 0 }

  project             = var.project_id
  dataset_id          = google_bigquery_dataset.main.dataset_id
  table_id            = each.key
  description         = each.value.description
  labels              = var.labels
  deletion_protection = false

  view {
    query          = each.value.query
    use_legacy_sql = false
  }

  depends_on = [google_bigquery_table.rows]
}

resource "google_bigquery_table" "dashboard" {
  # checkov:skip=CKV_GCP_80:a view holds no rows, so there is nothing to encrypt
  # checkov:skip=CKV_GCP_121:a view holds no rows, so there is nothing to protect
  for_each = { for name, view in local.views : name => view if view.layer == 1 }

  project             = var.project_id
  dataset_id          = google_bigquery_dataset.main.dataset_id
  table_id            = each.key
  description         = each.value.description
  labels              = var.labels
  deletion_protection = false

  view {
    query          = each.value.query
    use_legacy_sql = false
  }

  depends_on = [google_bigquery_table.latest]
}

resource "google_bigquery_table" "summary" {
  # checkov:skip=CKV_GCP_80:a view holds no rows, so there is nothing to encrypt
  # checkov:skip=CKV_GCP_121:a view holds no rows, so there is nothing to protect
  for_each = { for name, view in local.views : name => view if view.layer == 2 }

  project             = var.project_id
  dataset_id          = google_bigquery_dataset.main.dataset_id
  table_id            = each.key
  description         = each.value.description
  labels              = var.labels
  deletion_protection = false

  view {
    query          = each.value.query
    use_legacy_sql = false
  }

  depends_on = [google_bigquery_table.dashboard]
}
