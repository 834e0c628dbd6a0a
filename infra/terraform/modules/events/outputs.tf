output "topics" {
  description = "Full name of each topic: uploads, results, notices."
  value       = { for name, topic in google_pubsub_topic.main : name => topic.id }
}

output "subscriptions" {
  description = "Full name of each subscription: uploads, results, notices."
  value       = { for name, subscription in google_pubsub_subscription.main : name => subscription.id }
}
