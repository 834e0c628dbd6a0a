resource "google_pubsub_topic" "dead" {
  project      = var.project_id
  name         = "${var.prefix}-dead"
  kms_key_name = var.kms_key
  labels       = var.labels

  message_storage_policy {
    allowed_persistence_regions = var.storage_regions
    enforce_in_transit          = true
  }
}

resource "google_pubsub_subscription" "dead" {
  # no-dead-letter: these are the dead letters; a malformed one stays here for a person to look at.
  project                    = var.project_id
  name                       = "${var.prefix}-dead"
  topic                      = google_pubsub_topic.dead.id
  labels                     = var.labels
  ack_deadline_seconds       = var.lease_s
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = ""
  }
}

# Without both of these Pub/Sub forwards nothing, and says so nowhere but in the console.
resource "google_pubsub_topic_iam_member" "forwards" {
  project = var.project_id
  topic   = google_pubsub_topic.dead.name
  role    = "roles/pubsub.publisher"
  member  = var.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "forwards" {
  for_each = local.lanes

  project      = var.project_id
  subscription = google_pubsub_subscription.lane[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = var.pubsub_agent

  # A subscription that is replaced loses its policy.  Its id is unknown in a plan that replaces it, and only there: a
  # change in place, as of lease_s, leaves the grants alone.
  lifecycle {
    replace_triggered_by = [google_pubsub_subscription.lane[each.key].id]
  }
}

resource "google_monitoring_alert_policy" "dead_letters" {
  project               = var.project_id
  display_name          = "${var.prefix}: dead letters wait in Pub/Sub"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = var.notification_channels
  user_labels           = var.labels

  conditions {
    display_name = "More than ${var.dead_letters_max} wait"

    condition_threshold {
      filter          = "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"${google_pubsub_subscription.dead.name}\" AND metric.type = \"pubsub.googleapis.com/subscription/num_undelivered_messages\""
      comparison      = "COMPARISON_GT"
      threshold_value = var.dead_letters_max
      duration        = "300s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MEAN"
      }
    }
  }

  conditions {
    display_name = "The oldest has waited for more than ${var.dead_letter_age_max_s} s"

    condition_threshold {
      filter          = "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"${google_pubsub_subscription.dead.name}\" AND metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
      comparison      = "COMPARISON_GT"
      threshold_value = var.dead_letter_age_max_s
      duration        = "300s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Nobody collects dead letters: workers and `earmark dlq` do.  They are lost after seven days.\n\nRunbook: docs/dead-letters.md"

    dynamic "links" {
      for_each = var.documents_url == "" ? [] : ["docs/dead-letters.md"]

      content {
        display_name = "Runbook"
        url          = "${var.documents_url}/${links.value}"
      }
    }
  }
}
