resource "google_storage_insights_report_config" "main" {
  for_each = toset(var.reports)

  project      = var.project_id
  display_name = each.key
  location     = var.region

  frequency_options {
    frequency = "DAILY"

    # Cloud Storage takes no day that has begun.  Two days after the plan that makes it; a later plan leaves it.
    start_date {
      year  = tonumber(formatdate("YYYY", timeadd(plantimestamp(), "48h")))
      month = tonumber(formatdate("M", timeadd(plantimestamp(), "48h")))
      day   = tonumber(formatdate("D", timeadd(plantimestamp(), "48h")))
    }

    end_date {
      year  = 2099
      month = 12
      day   = 31
    }
  }

  csv_options {
    header_required  = true
    delimiter        = ","
    record_separator = "\n"
  }

  # What `earmark retention reconcile BUCKET --report` reads, and `project`, without which Cloud Storage makes no report.
  object_metadata_report_options {
    metadata_fields = ["project", "bucket", "name", "generation", "size", "timeCreated", "contentType", "temporaryHold"]

    storage_filters {
      bucket = each.key
    }

    storage_destination_options {
      bucket           = var.reports_bucket
      destination_path = "inventories/${each.key}"
    }
  }

  lifecycle {
    ignore_changes = [frequency_options[0].start_date]
  }

  depends_on = [google_storage_bucket_iam_member.lists, google_storage_bucket_iam_member.reports]
}

resource "google_storage_bucket_iam_member" "lists" {
  for_each = toset(var.reports)

  bucket = each.key
  role   = "roles/storage.insightsCollectorService"
  member = var.reports_agent
}

resource "google_storage_bucket_iam_member" "reports" {
  count = length(var.reports) == 0 ? 0 : 1

  bucket = var.reports_bucket
  role   = "roles/storage.objectCreator"
  member = var.reports_agent
}
