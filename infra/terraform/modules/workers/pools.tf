resource "google_container_node_pool" "main" {
  for_each = var.pools

  project        = var.project_id
  name           = each.key
  cluster        = google_container_cluster.main.id
  node_locations = length(each.value.zones) == 0 ? null : [for zone in each.value.zones : "${var.region}-${zone}"]

  # In each zone, once: Kubernetes itself needs somewhere to start before the autoscaler runs.
  initial_node_count = each.value.gpu == "" ? 1 : 0

  autoscaling {
    total_min_node_count = each.value.min
    total_max_node_count = each.value.max
    location_policy      = each.value.gpu == "" ? "BALANCED" : "ANY"
  }

  management {
    auto_repair  = true
    auto_upgrade = true
  }

  # No spare GPU is needed to upgrade one: the old machine goes first.
  upgrade_settings {
    strategy        = "SURGE"
    max_surge       = each.value.gpu == "" ? 1 : 0
    max_unavailable = each.value.gpu == "" ? 0 : 1
  }

  node_config {
    machine_type      = each.value.machine
    spot              = each.value.spot
    image_type        = "COS_CONTAINERD"
    disk_size_gb      = each.value.disk_gb
    disk_type         = each.value.disk_type
    boot_disk_kms_key = var.disk_key
    service_account   = google_service_account.nodes.email
    oauth_scopes      = ["https://www.googleapis.com/auth/cloud-platform"]
    resource_labels   = var.labels

    labels = {
      "earmark/role" = each.value.role
    }

    # Images are large and start while they still arrive.
    gcfs_config {
      enabled = true
    }

    gvnic {
      enabled = true
    }

    workload_metadata_config {
      mode = "GKE_METADATA"
    }

    shielded_instance_config {
      enable_secure_boot          = true
      enable_integrity_monitoring = true
    }

    dynamic "guest_accelerator" {
      for_each = each.value.gpu == "" ? [] : [each.value.gpu]

      content {
        type  = guest_accelerator.value
        count = each.value.gpus

        gpu_driver_installation_config {
          gpu_driver_version = "LATEST" # torch brings a CUDA that older drivers do not know
        }
      }
    }

    # GKE adds this one by itself only where another pool without GPUs is there already, and all are made at once.  Key,
    # value and effect are GKE's own, and it comes first as GKE's does, so that no plan sees a difference.
    dynamic "taint" {
      for_each = each.value.gpu == "" ? [] : ["gpu"]

      content {
        key    = "nvidia.com/gpu"
        value  = "present"
        effect = "NO_SCHEDULE"
      }
    }

    dynamic "taint" {
      for_each = each.value.spot ? ["spot"] : []

      content {
        key    = "cloud.google.com/gke-spot"
        value  = "true"
        effect = "NO_SCHEDULE"
      }
    }
  }

  lifecycle {
    ignore_changes = [initial_node_count]
  }
}
