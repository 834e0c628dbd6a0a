output "network" {
  description = "Full name of the network."
  value       = google_compute_network.main.id
}

output "subnetworks" {
  description = "Full name of each region's subnetwork."
  value       = { for region, subnetwork in google_compute_subnetwork.main : region => subnetwork.id }
}

output "apis" {
  description = "What each region's API needs at its edge: address, the name of address and certificates for the Gateway, and the DNS record that proves to Google that the host is ours."
  value = {
    for region, address in google_compute_global_address.api : region => {
      address = address.address
      name    = address.name
      host    = var.regions[region].host
      record  = try(one(google_certificate_manager_dns_authorization.api[region].dns_resource_record), null)
    }
  }
}

output "security_policy" {
  description = "Name of the policy at the edge, for the API's backend policy."
  value       = google_compute_security_policy.api.name
}
