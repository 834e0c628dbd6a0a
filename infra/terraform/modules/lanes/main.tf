locals {
  lanes = toset(["high", "low"])

  # What is granted on topics and subscriptions, one key a grant; all keys are known before anything exists.
  publish = merge([for lane, names in var.publishers : { for name in names : "${lane}/${name}" => { lane = lane, name = name } }]...)
  pull    = merge([for lane, names in var.subscribers : { for name in names : "${lane}/${name}" => { lane = lane, name = name } }]...)
  look    = merge([for lane, names in var.viewers : { for name in names : "${lane}/${name}" => { lane = lane, name = name } }]...)

  topics        = merge({ dead = google_pubsub_topic.dead }, google_pubsub_topic.lane)
  subscriptions = merge({ dead = google_pubsub_subscription.dead }, google_pubsub_subscription.lane)
}

resource "google_pubsub_topic" "lane" {
  for_each = local.lanes

  project      = var.project_id
  name         = "${var.prefix}-${each.key}"
  kms_key_name = var.kms_key
  labels       = var.labels

  message_storage_policy {
    allowed_persistence_regions = var.storage_regions
    enforce_in_transit          = true
  }
}

resource "google_pubsub_subscription" "lane" {
  for_each = local.lanes

  project                    = var.project_id
  name                       = "${var.prefix}-${each.key}"
  topic                      = google_pubsub_topic.lane[each.key].id
  labels                     = var.labels
  ack_deadline_seconds       = var.lease_s
  message_retention_duration = "604800s"

  # Workers count tries themselves; this is the backstop behind them, at the most that Pub/Sub allows.
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead.id
    max_delivery_attempts = 100
  }

  expiration_policy {
    ttl = ""
  }
}
