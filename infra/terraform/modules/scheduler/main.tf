# Work by the clock that must go on while the cluster is down or being replaced.

resource "google_cloud_run_v2_job" "main" {
  for_each = var.jobs

  project             = var.project_id
  name                = "${var.prefix}-${each.key}"
  location            = var.region
  labels              = var.labels
  deletion_protection = !var.disposable

  binary_authorization {
    use_default = true
  }

  template {
    task_count  = 1
    parallelism = 1

    template {
      service_account = each.value.account
      timeout         = "${each.value.timeout_s}s"
      max_retries     = 1
      encryption_key  = var.kms_key

      containers {
        image = var.image
        args  = each.value.arguments

        resources {
          limits = { cpu = "1", memory = each.value.memory }
        }

        dynamic "env" {
          for_each = var.environment

          content {
            name  = env.key
            value = env.value
          }
        }
      }

      vpc_access {
        egress = "ALL_TRAFFIC"

        network_interfaces {
          network    = var.network
          subnetwork = var.subnetwork
        }
      }
    }
  }
}

resource "google_service_account" "scheduler" {
  project      = var.project_id
  account_id   = "${var.prefix}-scheduler"
  display_name = "${var.prefix}: starts jobs by the clock"
}

resource "google_cloud_run_v2_job_iam_member" "starts" {
  for_each = var.jobs

  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_job.main[each.key].name
  role     = "roles/run.invoker"
  member   = google_service_account.scheduler.member
}

resource "google_cloud_scheduler_job" "main" {
  for_each = var.jobs

  project          = var.project_id
  name             = "${var.prefix}-${each.key}"
  region           = var.region
  schedule         = each.value.schedule
  time_zone        = "Etc/UTC"
  attempt_deadline = "60s"

  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/${google_cloud_run_v2_job.main[each.key].id}:run"

    oauth_token {
      service_account_email = google_service_account.scheduler.email
    }
  }

  retry_config {
    retry_count          = 5
    min_backoff_duration = "30s"
    max_backoff_duration = "600s"
  }

  depends_on = [google_cloud_run_v2_job_iam_member.starts]
}
