# An address for each region's API: customers belong to a region.  What they send is kept and worked on in it, but the
# load balancer is a global one: TLS ends at the edge of Google's that is nearest to the caller (docs/terraform.md).  The
# Gateway names address and certificates, the backend policy names the policy.
resource "google_compute_global_address" "api" {
  for_each = var.regions

  project = var.project_id
  name    = "${each.value.prefix}-api"
}

resource "google_certificate_manager_dns_authorization" "api" {
  for_each = local.hosts

  project = var.project_id
  name    = "${each.value.prefix}-api"
  domain  = each.value.host
}

resource "google_certificate_manager_certificate" "api" {
  for_each = local.hosts

  project = var.project_id
  name    = "${each.value.prefix}-api"

  managed {
    domains            = [each.value.host]
    dns_authorizations = [google_certificate_manager_dns_authorization.api[each.key].id]
  }
}

resource "google_certificate_manager_certificate_map" "api" {
  for_each = local.hosts

  project = var.project_id
  name    = "${each.value.prefix}-api"
}

resource "google_certificate_manager_certificate_map_entry" "api" {
  for_each = local.hosts

  project      = var.project_id
  name         = "${each.value.prefix}-api"
  map          = google_certificate_manager_certificate_map.api[each.key].name
  hostname     = each.value.host
  certificates = [google_certificate_manager_certificate.api[each.key].id]
}

resource "google_compute_security_policy" "api" {
  project     = var.project_id
  name        = "${var.name}-api"
  description = "Before the API: a bound for each address, and what is known to be an attack."

  rule {
    action      = "deny(403)"
    priority    = 900
    description = "CVE-2021-44228 and its kin"

    match {
      expr {
        expression = "evaluatePreconfiguredExpr('cve-canary')"
      }
    }
  }

  rule {
    action      = "throttle"
    priority    = 1000
    description = "Requests of one address"

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }

    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"

      rate_limit_threshold {
        count        = var.requests_per_minute
        interval_sec = 60
      }
    }
  }

  rule {
    action      = "allow"
    priority    = 2147483647
    description = "Everything else; the API asks for a key"

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }
  }

  adaptive_protection_config {
    layer_7_ddos_defense_config {
      enable = true
    }
  }
}
