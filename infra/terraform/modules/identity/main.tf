locals {
  acting = merge([
    for component, people in var.acted_as : { for person in people : "${component}/${person}" => { component = component, person = person } }
  ]...)
}

# No account has a key: pods act as theirs by workload identity, people by their own login.
resource "google_service_account" "main" {
  for_each = var.components

  project      = var.project_id
  account_id   = "${var.prefix}-${each.key}"
  display_name = "${var.prefix}: ${each.key}"
  description  = each.value
}

resource "google_service_account_iam_member" "workload" {
  for_each = var.components

  service_account_id = google_service_account.main[each.key].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.workload_pool}[${var.prefix}/${each.key}]"
}

# Signing an upload's address asks IAM to sign as oneself, and as nobody else.
resource "google_service_account_iam_member" "signs" {
  for_each = toset(var.signs)

  service_account_id = google_service_account.main[each.key].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = google_service_account.main[each.key].member
}

resource "google_service_account_iam_member" "acts" {
  for_each = local.acting

  service_account_id = google_service_account.main[each.value.component].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = each.value.person
}

# Whoever runs a query needs this on the project; what it may read, the dataset says.
resource "google_project_iam_member" "queries" {
  for_each = toset(var.queries)

  project = var.project_id
  role    = "roles/bigquery.jobUser"
  member  = google_service_account.main[each.key].member
}

resource "google_project_iam_member" "reads_metrics" {
  for_each = toset(var.reads_metrics)

  project = var.project_id
  role    = "roles/monitoring.viewer"
  member  = google_service_account.main[each.key].member
}
