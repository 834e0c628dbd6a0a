output "names" {
  description = "Full name of each bucket, by its short one."
  value       = { for name, bucket in google_storage_bucket.main : name => bucket.name }
}
