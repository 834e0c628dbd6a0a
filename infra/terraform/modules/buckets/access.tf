locals {
  roles = {
    view   = "roles/storage.objectViewer"
    create = "roles/storage.objectCreator"
    date   = var.dater_role
    use    = "roles/storage.objectUser"
  }

  grants = merge(flatten([
    for bucket, by_role in var.access : [
      for may, names in by_role : {
        for name in names : "${bucket}/${may}/${name}" => { bucket = bucket, role = local.roles[may], name = name }
      }
    ]
  ])...)
}

resource "google_storage_bucket_iam_member" "main" {
  for_each = local.grants

  bucket = google_storage_bucket.main[each.value.bucket].name
  role   = each.value.role
  member = var.members[each.value.name]
}
