module "project" {
  source = "../project"

  project_id = var.project_id
}

module "network" {
  source = "../network"

  project_id          = var.project_id
  range               = var.range
  requests_per_minute = var.requests_per_minute
  regions             = { for region, each in var.regions : region => { prefix = each.prefix, number = each.number, host = each.host } }

  depends_on = [module.project]
}

module "monitoring" {
  source = "../monitoring"

  project_id      = var.project_id
  project_number  = module.project.number
  labels          = { application = "earmark", environment = var.environment }
  rules_folder    = var.rules_folder
  documents_url   = var.documents_url
  pages           = var.pages
  tickets         = var.tickets
  page_channels   = var.page_channels
  api_hosts       = compact([for region in var.regions : region.host])
  billing_account = var.billing_account
  monthly_cost    = var.monthly_cost
  currency        = var.currency

  depends_on = [module.project]
}

module "region" {
  source   = "../region"
  for_each = var.regions

  project_id            = var.project_id
  environment           = var.environment
  region                = each.key
  prefix                = each.value.prefix
  host                  = each.value.host
  network               = module.network.network
  subnetwork            = module.network.subnetworks[each.key]
  agents                = module.project.agents
  reports_agent         = module.project.reports_agent
  row_writer_role       = module.project.row_writer_role
  object_dater_role     = module.project.object_dater_role
  protection_level      = var.protection_level
  lease_s               = var.lease_s
  pools                 = each.value.pools == null ? var.pools : each.value.pools
  image                 = each.value.image == null ? var.image : each.value.image
  settings              = var.settings
  log_days              = var.log_days
  operators             = var.operators
  analysts              = var.analysts
  inventory_reports     = var.inventory_reports
  audit_locked          = var.audit_locked
  disposable            = var.disposable
  notification_channels = module.monitoring.ticket_channels
  documents_url         = var.documents_url
  dead_letters_max      = var.dead_letters_max
  dead_letter_age_max_s = var.dead_letter_age_max_s
}
