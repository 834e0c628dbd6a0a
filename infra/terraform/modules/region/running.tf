# Images, machines, and what runs by the clock.

resource "google_artifact_registry_repository" "main" {
  project       = var.project_id
  location      = var.region
  repository_id = var.prefix
  description   = "Images of Earmark"
  format        = "DOCKER"
  kms_key_name  = module.keys.keys["artifacts"]
  labels        = local.labels

  docker_config {
    immutable_tags = true
  }

  cleanup_policies {
    id     = "keep-the-last"
    action = "KEEP"

    # Of each image.  A push makes about three: the image, what it was built from, and the index of both.
    most_recent_versions {
      keep_count = 100
    }
  }

  cleanup_policies {
    id     = "drop-the-old"
    action = "DELETE"

    condition {
      older_than = "7776000s"
    }
  }
}

module "workers" {
  source = "../workers"

  project_id  = var.project_id
  prefix      = var.prefix
  region      = var.region
  labels      = local.labels
  network     = var.network
  subnetwork  = var.subnetwork
  cluster_key = module.keys.keys["cluster"]
  disk_key    = module.keys.keys["disks"]
  pools       = var.pools
  registry    = google_artifact_registry_repository.main.repository_id
  disposable  = var.disposable
}

module "scheduler" {
  source = "../scheduler"
  count  = var.image == "" ? 0 : 1

  project_id  = var.project_id
  prefix      = var.prefix
  region      = var.region
  labels      = local.labels
  kms_key     = module.keys.keys["runs"]
  network     = var.network
  subnetwork  = var.subnetwork
  image       = var.image
  environment = local.settings
  disposable  = var.disposable

  notification_channels = var.notification_channels
  documents_url         = var.documents_url

  jobs = {
    reconcile = {
      arguments = ["route", "--reconcile", "gs://${module.buckets.names["uploads"]}/"]
      schedule  = "30 3 * * *"
      account   = module.identity.emails["router"]
      runbook   = "docs/runbooks.md#reconcile-failed-or-did-not-run"
      timeout_s = 14400
    }
  }

  reports        = var.inventory_reports ? [module.buckets.names["uploads"]] : []
  reports_agent  = var.reports_agent
  reports_bucket = module.buckets.names["temporary"]
}
