locals {
  # docs/retention-google-cloud.md says why each is set to what.
  # undelete_s: for how long what was deleted can be brought back, seven days or not at all.  kept_s: 400 days.
  # deletes: what goes by itself; all of it acts late, behind retention, which deletes object by object.
  buckets = {
    uploads = {
      class      = "STANDARD"
      undelete_s = 604800
      deletes    = [{ days_since_custom_time = 1, age = null, prefixes = null }]
      kept_s     = null
    }
    results = {
      class      = "STANDARD"
      undelete_s = 604800
      deletes    = [{ days_since_custom_time = 1, age = null, prefixes = null }]
      kept_s     = null
    }
    archive = {
      class      = "COLDLINE"
      undelete_s = 604800
      deletes    = [{ days_since_custom_time = 1, age = null, prefixes = null }]
      kept_s     = null
    }
    temporary = {
      class      = "STANDARD"
      undelete_s = 0
      deletes    = [{ days_since_custom_time = null, age = 1, prefixes = null }]
      kept_s     = null
    }
    state = {
      class      = "STANDARD"
      undelete_s = 0
      deletes    = [{ days_since_custom_time = null, age = 8, prefixes = ["admissions/", "tries/", "claims/"] }]
      kept_s     = null
    }
    audit = {
      class      = "STANDARD"
      undelete_s = 0
      deletes    = []
      kept_s     = 34560000
    }
  }
}

resource "google_storage_bucket" "main" {
  # checkov:skip=CKV_GCP_78:an overwritten object would live on as an old version that retention does not see, so versions stay off
  # checkov:skip=CKV_GCP_62:Cloud Audit Logs record each access, in the region's log bucket and for log_days; usage logs would keep names of customers' files in one more place
  for_each = local.buckets

  project                     = var.project_id
  name                        = "${var.project_id}-${var.prefix}-${each.key}"
  location                    = var.location
  storage_class               = each.value.class
  labels                      = var.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = var.disposable

  encryption {
    default_kms_key_name = var.kms_key
  }

  versioning {
    enabled = false
  }

  soft_delete_policy {
    retention_duration_seconds = each.value.undelete_s
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 1
    }
  }

  dynamic "lifecycle_rule" {
    for_each = each.value.deletes

    content {
      action {
        type = "Delete"
      }
      condition {
        age                    = lifecycle_rule.value.age
        days_since_custom_time = lifecycle_rule.value.days_since_custom_time
        matches_prefix         = lifecycle_rule.value.prefixes
      }
    }
  }

  # On no other bucket: it would stand in the way of erasure.
  dynamic "retention_policy" {
    for_each = each.value.kept_s == null ? [] : [each.value.kept_s]

    content {
      retention_period = retention_policy.value
      is_locked        = var.audit_locked
    }
  }
}
