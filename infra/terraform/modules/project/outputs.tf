output "number" {
  description = "Number of the project; known once its services are on."
  value       = data.google_project.main.number
  depends_on  = [google_project_service.main]
}

output "agents" {
  description = "Google's own accounts that encrypt, as members, by the key that they use."
  value = merge(
    { for key, domain in local.agents : key => "serviceAccount:service-${data.google_project.main.number}@${domain}" },
    {
      logs    = "serviceAccount:${data.google_logging_project_cmek_settings.main.service_account_id}"
      objects = data.google_storage_project_service_account.main.member
      rows    = data.google_bigquery_default_service_account.main.member
    },
  )
  depends_on = [google_project_service.main]
}

output "reports_agent" {
  description = "Storage Insights' own account, as a member."
  value       = "serviceAccount:service-${data.google_project.main.number}@gcp-sa-storageinsights.iam.gserviceaccount.com"
}

output "object_dater_role" {
  description = "Full name of the role that may add, read and date objects."
  value       = google_project_iam_custom_role.object_dater.name
}

output "row_writer_role" {
  description = "Full name of the role that may change rows, and no table."
  value       = google_project_iam_custom_role.row_writer.name
}

output "cluster_visitor_role" {
  description = "Full name of the role that may reach clusters, and do nothing in them."
  value       = google_project_iam_custom_role.cluster_visitor.name
}
