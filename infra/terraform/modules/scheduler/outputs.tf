output "jobs" {
  description = "Name of each job on Cloud Run."
  value       = { for name, job in google_cloud_run_v2_job.main : name => job.name }
}
