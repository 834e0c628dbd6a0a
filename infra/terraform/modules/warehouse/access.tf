# No component may make, change or delete a table; `roles/bigquery.dataEditor` would let it.
resource "google_bigquery_dataset_iam_member" "writes" {
  for_each = toset(var.writers)

  project    = var.project_id
  dataset_id = google_bigquery_dataset.main.dataset_id
  role       = var.row_writer_role
  member     = var.members[each.key]
}

resource "google_bigquery_dataset_iam_member" "views" {
  for_each = toset(var.viewers)

  project    = var.project_id
  dataset_id = google_bigquery_dataset.main.dataset_id
  role       = "roles/bigquery.dataViewer"
  member     = var.members[each.key]
}

resource "google_bigquery_dataset_iam_member" "reads" {
  for_each = toset(var.readers)

  project    = var.project_id
  dataset_id = google_bigquery_dataset.main.dataset_id
  role       = "roles/bigquery.dataViewer"
  member     = each.key
}
