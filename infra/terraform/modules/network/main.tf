locals {
  # A region's sixteenth: the first half for pods, of which a machine takes 256 addresses; from the second half a /20 for
  # machines and one for services, of which GKE takes no more than a /16.
  bits   = tonumber(split("/", var.range)[1])
  blocks = pow(2, 16 - local.bits)
  ranges = {
    for region, each in var.regions : region => {
      pods     = cidrsubnet(var.range, 5, each.number * 2)
      nodes    = cidrsubnet(var.range, 20 - local.bits, each.number * local.blocks + local.blocks / 2)
      services = cidrsubnet(var.range, 20 - local.bits, each.number * local.blocks + local.blocks / 2 + 1)
    }
  }
}

locals {
  hosts = { for region, each in var.regions : region => each if each.host != "" }
}

resource "google_compute_network" "main" {
  project                         = var.project_id
  name                            = var.name
  auto_create_subnetworks         = false
  routing_mode                    = "REGIONAL"
  delete_default_routes_on_create = false
}

resource "google_compute_subnetwork" "main" {
  for_each = var.regions

  project                  = var.project_id
  name                     = "${each.value.prefix}-${each.key}"
  region                   = each.key
  network                  = google_compute_network.main.id
  ip_cidr_range            = local.ranges[each.key].nodes
  private_ip_google_access = true

  secondary_ip_range {
    range_name    = "pods"
    ip_cidr_range = local.ranges[each.key].pods
  }

  secondary_ip_range {
    range_name    = "services"
    ip_cidr_range = local.ranges[each.key].services
  }

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
    metadata             = "INCLUDE_ALL_METADATA"
  }
}

resource "google_compute_router" "main" {
  for_each = var.regions

  project = var.project_id
  name    = each.value.prefix
  region  = each.key
  network = google_compute_network.main.id
}

# Nodes have no address of their own; providers of models and customers' webhooks are reached through these.
resource "google_compute_router_nat" "main" {
  for_each = var.regions

  project                             = var.project_id
  name                                = each.value.prefix
  region                              = each.key
  router                              = google_compute_router.main[each.key].name
  nat_ip_allocate_option              = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat  = "ALL_SUBNETWORKS_ALL_IP_RANGES"
  enable_dynamic_port_allocation      = true
  enable_endpoint_independent_mapping = false
  min_ports_per_vm                    = 128
  max_ports_per_vm                    = 8192

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}

# Whatever nobody allowed is dropped and written down; GKE makes the rules that its clusters need, of priority 1000.
resource "google_compute_firewall" "drop" {
  project       = var.project_id
  name          = "${var.name}-drop"
  network       = google_compute_network.main.id
  direction     = "INGRESS"
  priority      = 65534
  source_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }

  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }
}
