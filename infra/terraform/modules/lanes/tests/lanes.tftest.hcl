mock_provider "google" {}

variables {
  project_id      = "acme-audio"
  prefix          = "earmark"
  storage_regions = ["europe-west4"]
  kms_key         = "projects/acme-audio/locations/europe-west4/keyRings/earmark/cryptoKeys/messages"
  pubsub_agent    = "serviceAccount:service-1@gcp-sa-pubsub.iam.gserviceaccount.com"
  members         = { api = "serviceAccount:api@x", worker-high = "serviceAccount:high@x", worker-low = "serviceAccount:low@x" }
  publishers      = { high = ["api"], low = ["api"], dead = ["worker-high"] }
  subscribers     = { high = ["worker-high"], low = ["worker-low"], dead = ["worker-low"] }
  viewers         = { high = ["api"] }
}

run "names_and_numbers" {
  command = plan

  assert {
    condition     = toset([for topic in google_pubsub_topic.lane : topic.name]) == toset(["earmark-high", "earmark-low"])
    error_message = "The lanes are called otherwise than the settings say."
  }

  assert {
    condition     = google_pubsub_topic.dead.name == "earmark-dead" && google_pubsub_subscription.dead.name == "earmark-dead"
    error_message = "The dead letters are called otherwise than the settings say."
  }

  assert {
    condition     = alltrue([for lane in google_pubsub_subscription.lane : lane.expiration_policy[0].ttl == "" && lane.message_retention_duration == "604800s"])
    error_message = "A lane's subscription expires, or forgets."
  }

  assert {
    condition     = alltrue([for lane in google_pubsub_subscription.lane : lane.dead_letter_policy[0].max_delivery_attempts == 100])
    error_message = "The backstop is not where the workers expect it."
  }
}

run "grants" {
  command = plan

  assert {
    condition     = google_pubsub_topic_iam_member.forwards.role == "roles/pubsub.publisher" && length(google_pubsub_subscription_iam_member.forwards) == 2
    error_message = "Pub/Sub itself can forward no dead letter."
  }

  assert {
    condition     = keys(google_pubsub_subscription_iam_member.pulls) == ["dead/worker-low", "high/worker-high", "low/worker-low"]
    error_message = "Somebody else pulls."
  }
}

run "a_lease_that_pubsub_refuses" {
  command = plan

  variables {
    lease_s = 601
  }

  expect_failures = [var.lease_s]
}
