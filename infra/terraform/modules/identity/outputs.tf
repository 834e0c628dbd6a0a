output "members" {
  description = "IAM member of each component, by its name."
  value       = { for name, account in google_service_account.main : name => account.member }
}

output "emails" {
  description = "Address of each component's account, for the annotation iam.gke.io/gcp-service-account."
  value       = { for name, account in google_service_account.main : name => account.email }
}
