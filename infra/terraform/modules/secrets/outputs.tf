output "names" {
  description = "Full name of each secret, by its short one."
  value       = { for name, secret in google_secret_manager_secret.main : name => secret.id }
}
