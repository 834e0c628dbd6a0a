locals {
  # Acknowledgement deadlines in seconds: an upload is read before its notification is acknowledged.
  deadlines = {
    uploads = 120
    results = var.lease_s
    notices = var.lease_s
  }

  publish = merge([for topic, names in var.publishers : { for name in names : "${topic}/${name}" => { topic = topic, name = name } }]...)
  pull    = merge([for topic, names in var.subscribers : { for name in names : "${topic}/${name}" => { topic = topic, name = name } }]...)
}

resource "google_pubsub_topic" "main" {
  for_each = local.deadlines

  project      = var.project_id
  name         = "${var.prefix}-${each.key}"
  kms_key_name = var.kms_key
  labels       = var.labels

  message_storage_policy {
    allowed_persistence_regions = var.storage_regions

    # Cloud Storage publishes to uploads, and nothing says in which region it does so: a refusal would lose each
    # notification.  What lies in the topic stays in its region all the same.
    enforce_in_transit = each.key != "uploads"
  }
}

resource "google_pubsub_subscription" "main" {
  # no-dead-letter: an upload that cannot be routed must be tried until it can, and `earmark route --reconcile` finds
  # those that were lost; events are for listeners who give up as they see fit.
  for_each = local.deadlines

  project                    = var.project_id
  name                       = "${var.prefix}-${each.key}"
  topic                      = google_pubsub_topic.main[each.key].id
  labels                     = var.labels
  ack_deadline_seconds       = each.value
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_topic_iam_member" "storage" {
  project = var.project_id
  topic   = google_pubsub_topic.main["uploads"].name
  role    = "roles/pubsub.publisher"
  member  = var.storage_agent
}

resource "google_storage_notification" "uploads" {
  bucket         = var.uploads_bucket
  topic          = google_pubsub_topic.main["uploads"].id
  payload_format = "JSON_API_V1"
  event_types    = ["OBJECT_FINALIZE", "OBJECT_DELETE", "OBJECT_METADATA_UPDATE"]

  # Cloud Storage refuses a notification to a topic that it may not publish to.
  depends_on = [google_pubsub_topic_iam_member.storage]
}

resource "google_pubsub_topic_iam_member" "publishes" {
  for_each = local.publish

  project = var.project_id
  topic   = google_pubsub_topic.main[each.value.topic].name
  role    = "roles/pubsub.publisher"
  member  = var.members[each.value.name]
}

resource "google_pubsub_subscription_iam_member" "pulls" {
  for_each = local.pull

  project      = var.project_id
  subscription = google_pubsub_subscription.main[each.value.topic].name
  role         = "roles/pubsub.subscriber"
  member       = var.members[each.value.name]

  # A subscription that is replaced loses its policy.  Its id is unknown in a plan that replaces it, and only there: a
  # change in place, as of lease_s, leaves the grants alone.
  lifecycle {
    replace_triggered_by = [
      google_pubsub_subscription.main["uploads"].id,
      google_pubsub_subscription.main["results"].id,
      google_pubsub_subscription.main["notices"].id,
    ]
  }
}
