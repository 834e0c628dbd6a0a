resource "google_container_cluster" "main" {
  # checkov:skip=CKV_GCP_12:Dataplane V2 enforces network policies by itself and refuses this older setting
  # checkov:skip=CKV_GCP_20:the control plane has no address that networks could be authorized for; it is reached by its DNS name and IAM
  # checkov:skip=CKV_GCP_65:roles are bound to IAM members, not to Google Groups for RBAC, which needs a group of a certain name in the organisation
  # checkov:skip=CKV_GCP_69:set on each node pool; the cluster's own first pool is removed at once
  project  = var.project_id
  name     = var.prefix
  location = var.region

  network                     = var.network
  subnetwork                  = var.subnetwork
  networking_mode             = "VPC_NATIVE"
  datapath_provider           = "ADVANCED_DATAPATH"
  enable_intranode_visibility = true
  enable_shielded_nodes       = true
  resource_labels             = var.labels
  deletion_protection         = !var.disposable

  # Its pools are resources of their own.
  remove_default_node_pool = true
  initial_node_count       = 1

  ip_allocation_policy {
    cluster_secondary_range_name  = "pods"
    services_secondary_range_name = "services"
  }

  private_cluster_config {
    enable_private_nodes = true
  }

  control_plane_endpoints_config {
    dns_endpoint_config {
      allow_external_traffic = true
    }
    ip_endpoints_config {
      enabled = false
    }
  }

  master_auth {
    client_certificate_config {
      issue_client_certificate = false
    }
  }

  workload_identity_config {
    workload_pool = "${var.project_id}.svc.id.goog"
  }

  database_encryption {
    state    = "ENCRYPTED"
    key_name = var.cluster_key
  }

  binary_authorization {
    evaluation_mode = "PROJECT_SINGLETON_POLICY_ENFORCE"
  }

  security_posture_config {
    mode               = "BASIC"
    vulnerability_mode = "VULNERABILITY_DISABLED" # GKE no longer scans images; Artifact Registry can
  }

  secret_manager_config {
    enabled = true
  }

  gateway_api_config {
    channel = "CHANNEL_STANDARD"
  }

  dns_config {
    cluster_dns       = "CLOUD_DNS"
    cluster_dns_scope = "CLUSTER_SCOPE"
  }

  release_channel {
    channel = "REGULAR"
  }

  # Early on Tuesdays to Thursdays (UTC): a drain spends no try, but it does end batches.
  maintenance_policy {
    recurring_window {
      start_time = "2026-01-06T02:00:00Z"
      end_time   = "2026-01-06T08:00:00Z"
      recurrence = "FREQ=WEEKLY;BYDAY=TU,WE,TH"
    }
  }

  logging_config {
    enable_components = ["SYSTEM_COMPONENTS", "WORKLOADS", "APISERVER"]
  }

  monitoring_config {
    enable_components = ["SYSTEM_COMPONENTS", "DEPLOYMENT", "HPA", "POD", "STATEFULSET", "DCGM"]

    managed_prometheus {
      enabled = true
    }
  }

  cost_management_config {
    enabled = true
  }

  node_pool_defaults {
    node_config_defaults {
      insecure_kubelet_readonly_port_enabled = "FALSE"

      gcfs_config {
        enabled = true
      }
    }
  }

  lifecycle {
    ignore_changes = [initial_node_count]
  }
}
