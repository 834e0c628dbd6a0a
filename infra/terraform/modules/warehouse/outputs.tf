output "dataset" {
  description = "Name of the dataset."
  value       = google_bigquery_dataset.main.dataset_id
}

output "tables" {
  description = "Names of the tables that rows are appended to."
  value       = sort([for table in google_bigquery_table.rows : table.table_id])
}
