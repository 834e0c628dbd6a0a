mock_provider "google" {}

variables {
  project_id      = "acme-audio"
  prefix          = "earmark-eu"
  location        = "europe-west4"
  kms_key         = "projects/acme-audio/locations/europe-west4/keyRings/earmark-eu/cryptoKeys/rows"
  row_writer_role = "projects/acme-audio/roles/earmarkRowWriter"
  members         = { retention = "serviceAccount:retention@x" }
  writers         = ["retention"]
}

run "tables_and_views" {
  command = plan

  assert {
    condition     = google_bigquery_dataset.main.dataset_id == "earmark_eu"
    error_message = "The dataset is called otherwise than the settings say."
  }

  assert {
    condition     = alltrue([for table in google_bigquery_table.rows : endswith(table.table_id, "_rows") && table.time_partitioning[0].field == "at" && table.deletion_protection])
    error_message = "A table is not partitioned by the day of `at`, or can be deleted."
  }

  assert {
    condition     = length(regexall("`acme-audio`\\.`earmark_eu`\\.`jobs_rows`", google_bigquery_table.latest["jobs"].view[0].query)) == 1
    error_message = "The view jobs does not read the table jobs_rows of this dataset."
  }

  assert {
    condition     = alltrue([for view in merge(google_bigquery_table.latest, google_bigquery_table.dashboard, google_bigquery_table.summary) : length(regexall("\\{dataset\\}", view.view[0].query)) == 0])
    error_message = "A view's query still has a place for the dataset in it."
  }

  assert {
    condition     = length(google_bigquery_table.latest) + length(google_bigquery_table.dashboard) + length(google_bigquery_table.summary) == length(local.declared.views)
    error_message = "A view is of a layer that nobody makes."
  }
}
