resource "google_kms_key_ring" "main" {
  project  = var.project_id
  name     = var.prefix
  location = var.location

  # A key ring can never be deleted, nor its name used again.
  lifecycle {
    prevent_destroy = true
  }
}

resource "google_kms_crypto_key" "main" {
  for_each = var.users

  name                       = each.key
  key_ring                   = google_kms_key_ring.main.id
  labels                     = var.labels
  purpose                    = "ENCRYPT_DECRYPT"
  rotation_period            = "7776000s"
  destroy_scheduled_duration = "2592000s"

  version_template {
    algorithm        = "GOOGLE_SYMMETRIC_ENCRYPTION"
    protection_level = var.protection_level
  }

  # With its key goes all that it encrypts.
  lifecycle {
    prevent_destroy = true
  }
}

resource "google_kms_crypto_key_iam_member" "main" {
  for_each = var.users

  crypto_key_id = google_kms_crypto_key.main[each.key].id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value
}
