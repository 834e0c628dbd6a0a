# One small environment to try things in, which can be thrown away with all that is in it.

# Requests are counted with this project, whoever makes them: a person's own login has no quota for budgets.
provider "google" {
  project               = var.project_id
  billing_project       = var.project_id
  user_project_override = true
}

module "earmark" {
  source = "../../modules/earmark"

  project_id    = var.project_id
  environment   = "dev"
  disposable    = true
  rules_folder  = "${path.root}/../../../prometheus"
  documents_url = var.documents_url
  image         = var.image
  settings      = var.settings
  pages         = length(var.pages) > 0 ? var.pages : var.tickets
  tickets       = var.tickets
  operators     = var.operators
  analysts      = var.analysts

  lease_s           = var.lease_s
  metric_readers    = var.metric_readers
  inventory_reports = var.inventory_reports
  log_days          = var.log_days

  range                 = var.range
  requests_per_minute   = var.requests_per_minute
  dead_letters_max      = var.dead_letters_max
  dead_letter_age_max_s = var.dead_letter_age_max_s

  regions = {
    europe-west4 = { prefix = "earmark", number = 0 }
  }

  pools = {
    general = { machine = "e2-standard-4", min = 1, max = 3, role = "general" }
    low     = { machine = "g2-standard-8", gpu = "nvidia-l4", spot = true, max = 2, zones = ["a", "b", "c"], role = "worker-low" }
  }

  billing_account = var.billing_account
  monthly_cost    = var.monthly_cost
  currency        = var.currency
}
