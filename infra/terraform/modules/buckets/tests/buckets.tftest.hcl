mock_provider "google" {}

variables {
  project_id = "acme-audio"
  prefix     = "earmark"
  location   = "europe-west4"
  kms_key    = "projects/acme-audio/locations/europe-west4/keyRings/earmark/cryptoKeys/objects"
  dater_role = "projects/acme-audio/roles/earmarkObjectDater"
  members    = { retention = "serviceAccount:retention@x" }
  access     = { uploads = { use = ["retention"] }, audit = { create = ["retention"], view = ["retention"] } }
}

run "every_bucket" {
  command = plan

  assert {
    condition     = alltrue([for name, bucket in google_storage_bucket.main : bucket.name == "acme-audio-earmark-${name}"])
    error_message = "A bucket is called otherwise than the settings say."
  }

  assert {
    condition     = alltrue([for bucket in google_storage_bucket.main : bucket.public_access_prevention == "enforced" && bucket.uniform_bucket_level_access])
    error_message = "A bucket could be opened to the public."
  }

  assert {
    condition     = alltrue([for bucket in google_storage_bucket.main : length(bucket.soft_delete_policy) == 1 && length(bucket.encryption) == 1 && !bucket.force_destroy])
    error_message = "A bucket's soft delete is left to chance, it is not encrypted with our key, or it can be thrown away."
  }
}

run "each_on_its_own_terms" {
  command = plan

  assert {
    condition     = { for name, bucket in google_storage_bucket.main : name => bucket.soft_delete_policy[0].retention_duration_seconds } == { uploads = 604800, results = 604800, archive = 604800, temporary = 0, state = 0, audit = 0 }
    error_message = "What was deleted can be brought back for another time than docs/retention-google-cloud.md says."
  }

  assert {
    condition     = [for name, bucket in google_storage_bucket.main : name if length(bucket.retention_policy) > 0] == ["audit"]
    error_message = "A retention policy stands in the way of erasure, or the audit trail has none."
  }

  assert {
    condition     = google_storage_bucket.main["state"].lifecycle_rule[1].condition[0].age == 8 && length(google_storage_bucket.main["state"].lifecycle_rule[1].condition[0].matches_prefix) == 3
    error_message = "The state bucket forgets something else."
  }

  assert {
    condition     = google_storage_bucket.main["uploads"].lifecycle_rule[1].condition[0].days_since_custom_time == 1 && google_storage_bucket.main["uploads"].lifecycle_rule[1].condition[0].age == null
    error_message = "Uploads go by their age."
  }
}

run "nobody_changes_the_audit_trail" {
  command = plan

  variables {
    access = { audit = { administer = ["retention"] } }
  }

  expect_failures = [var.access]
}
