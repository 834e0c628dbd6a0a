output "keys" {
  description = "Full name of each key; known only once whoever encrypts with it may."
  value       = { for name, key in google_kms_crypto_key.main : name => key.id }
  depends_on  = [google_kms_crypto_key_iam_member.main]
}
