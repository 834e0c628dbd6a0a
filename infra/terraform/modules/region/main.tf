locals {
  labels = { application = "earmark", environment = var.environment, prefix = var.prefix }
}

module "keys" {
  source = "../keys"

  project_id       = var.project_id
  prefix           = var.prefix
  location         = var.region
  labels           = local.labels
  protection_level = var.protection_level
  users            = var.agents
}

module "identity" {
  source = "../identity"

  project_id    = var.project_id
  prefix        = var.prefix
  workload_pool = module.workers.workload_pool
  components    = local.components
  queries       = local.everybody
  signs         = ["api"]
  reads_metrics = ["api", "controller", "dlq", "worker-high", "worker-low"]
  acted_as      = { dlq = var.operators }
}

module "lanes" {
  source = "../lanes"

  project_id            = var.project_id
  prefix                = var.prefix
  labels                = local.labels
  storage_regions       = [var.region]
  kms_key               = module.keys.keys["messages"]
  pubsub_agent          = var.agents["messages"]
  lease_s               = var.lease_s
  members               = module.identity.members
  publishers            = local.lane_publishers
  subscribers           = local.lane_subscribers
  viewers               = local.lane_viewers
  notification_channels = var.notification_channels
  documents_url         = var.documents_url
  dead_letters_max      = var.dead_letters_max
  dead_letter_age_max_s = var.dead_letter_age_max_s
}

module "buckets" {
  source = "../buckets"

  project_id   = var.project_id
  prefix       = var.prefix
  labels       = local.labels
  location     = var.region
  kms_key      = module.keys.keys["objects"]
  audit_locked = var.audit_locked
  disposable   = var.disposable
  members      = module.identity.members
  access       = local.bucket_access
  dater_role   = var.object_dater_role
}

module "events" {
  source = "../events"

  project_id      = var.project_id
  prefix          = var.prefix
  labels          = local.labels
  storage_regions = [var.region]
  kms_key         = module.keys.keys["messages"]
  storage_agent   = var.agents["objects"]
  uploads_bucket  = module.buckets.names["uploads"]
  lease_s         = var.lease_s
  members         = module.identity.members
  publishers      = local.event_publishers
  subscribers     = local.event_subscribers
}

module "warehouse" {
  source = "../warehouse"

  project_id      = var.project_id
  prefix          = var.prefix
  labels          = local.labels
  location        = var.region
  kms_key         = module.keys.keys["rows"]
  disposable      = var.disposable
  row_writer_role = var.row_writer_role
  members         = module.identity.members
  writers         = local.all_but_controller
  viewers         = ["controller"]
  readers         = var.analysts
}

module "secrets" {
  source = "../secrets"

  project_id = var.project_id
  prefix     = var.prefix
  location   = var.region
  labels     = local.labels
  kms_key    = module.keys.keys["secrets"]
  members    = module.identity.members
  readers    = local.secret_readers
  disposable = var.disposable
}
