output "topics" {
  description = "Full name of each topic: high, low, dead."
  value       = { for name, topic in local.topics : name => topic.id }
}

output "subscriptions" {
  description = "Full name of each subscription: high, low, dead."
  value       = { for name, subscription in local.subscriptions : name => subscription.id }
}
