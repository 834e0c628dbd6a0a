# The way to the pod `operator`: to the control plane by IAM, for the project, since clusters have no grants of their own;
# into the pod by the Role and RoleBinding of each region (infra/kubernetes/base/operators.yaml).
resource "google_project_iam_member" "visits" {
  for_each = toset(var.operators)

  project = var.project_id
  role    = module.project.cluster_visitor_role
  member  = each.key
}
