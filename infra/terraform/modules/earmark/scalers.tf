# What asks Cloud Monitoring how many workers there shall be: KEDA, or the adapter of the horizontal autoscalers.  Granted
# once, since it is the same member in every region: whichever region went would take the grant of the others along.
resource "google_project_iam_member" "scales" {
  for_each = toset(var.metric_readers)

  project = var.project_id
  role    = "roles/monitoring.viewer"
  member  = "${local.pods}/${split("/", each.key)[0]}/sa/${split("/", each.key)[1]}"

  depends_on = [module.region]
}
