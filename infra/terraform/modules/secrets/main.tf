locals {
  reads = merge([for secret, names in var.readers : { for name in names : "${secret}/${name}" => { secret = secret, name = name } }]...)
}

resource "google_secret_manager_secret" "main" {
  for_each = var.readers

  project             = var.project_id
  secret_id           = "${var.prefix}-${each.key}"
  labels              = var.labels
  version_destroy_ttl = "604800s"
  deletion_protection = !var.disposable

  replication {
    user_managed {
      replicas {
        location = var.location

        customer_managed_encryption {
          kms_key_name = var.kms_key
        }
      }
    }
  }
}

resource "google_secret_manager_secret_iam_member" "reads" {
  for_each = local.reads

  project   = var.project_id
  secret_id = google_secret_manager_secret.main[each.value.secret].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = var.members[each.value.name]
}
