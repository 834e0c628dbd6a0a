# What records the ratios that alerts about budgets read (output recording_rules): managed Prometheus' evaluator of rules,
# a pod of Google's in each cluster.  It may read and write metrics, and nothing else.
locals {
  # Its Kubernetes service account, in later versions of GKE and in earlier ones.
  evaluators = toset(["rule-evaluator", "collector"])

  # One pool of identities for all clusters of a project: a namespace and name in one of them is the same in each.
  pods = "principal://iam.googleapis.com/projects/${module.project.number}/locations/global/workloadIdentityPools/${var.project_id}.svc.id.goog/subject/ns"
}

resource "google_project_iam_member" "records_from" {
  for_each = local.evaluators

  project = var.project_id
  role    = "roles/monitoring.viewer"
  member  = "${local.pods}/gmp-system/sa/${each.key}"

  # The pool of identities is made with the first cluster.
  depends_on = [module.region]
}

resource "google_project_iam_member" "records" {
  for_each = local.evaluators

  project = var.project_id
  role    = "roles/monitoring.metricWriter"
  member  = "${local.pods}/gmp-system/sa/${each.key}"

  depends_on = [module.region]
}
