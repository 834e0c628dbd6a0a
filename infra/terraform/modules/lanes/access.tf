resource "google_pubsub_topic_iam_member" "publishes" {
  for_each = local.publish

  project = var.project_id
  topic   = local.topics[each.value.lane].name
  role    = "roles/pubsub.publisher"
  member  = var.members[each.value.name]
}

resource "google_pubsub_subscription_iam_member" "pulls" {
  for_each = local.pull

  project      = var.project_id
  subscription = local.subscriptions[each.value.lane].name
  role         = "roles/pubsub.subscriber"
  member       = var.members[each.value.name]

  # A subscription that is replaced loses its policy.  Its id is unknown in a plan that replaces it, and only there: a
  # change in place, as of lease_s, leaves the grants alone.
  lifecycle {
    replace_triggered_by = [
      google_pubsub_subscription.lane["high"].id,
      google_pubsub_subscription.lane["low"].id,
      google_pubsub_subscription.dead.id,
    ]
  }
}

resource "google_pubsub_subscription_iam_member" "looks" {
  for_each = local.look

  project      = var.project_id
  subscription = local.subscriptions[each.value.lane].name
  role         = "roles/pubsub.viewer"
  member       = var.members[each.value.name]

  lifecycle {
    replace_triggered_by = [
      google_pubsub_subscription.lane["high"].id,
      google_pubsub_subscription.lane["low"].id,
      google_pubsub_subscription.dead.id,
    ]
  }
}
