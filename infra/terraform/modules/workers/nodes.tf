# The machines' own account: what a kubelet needs, and images.  Pods act as accounts of their own.
resource "google_service_account" "nodes" {
  project      = var.project_id
  account_id   = "${var.prefix}-nodes"
  display_name = "${var.prefix}: machines of the cluster"
}

resource "google_project_iam_member" "nodes" {
  project = var.project_id
  role    = "roles/container.defaultNodeServiceAccount"
  member  = google_service_account.nodes.member
}

# Managed Prometheus' evaluator of rules reads what it records from, as the machine or as itself, by GKE's version: the
# module earmark grants the other.  A kubelet's role writes metrics and reads none.
resource "google_project_iam_member" "reads_metrics" {
  project = var.project_id
  role    = "roles/monitoring.viewer"
  member  = google_service_account.nodes.member
}

resource "google_artifact_registry_repository_iam_member" "nodes" {
  project    = var.project_id
  location   = var.region
  repository = var.registry
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.nodes.member
}
