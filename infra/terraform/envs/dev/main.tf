# One small environment to try things in, which can be thrown away with all that is in it.

provider "google" {
  project = var.project_id
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
  tickets       = var.tickets

  regions = {
    europe-west4 = { prefix = "earmark", number = 0 }
  }

  pools = {
    general = { machine = "e2-standard-4", min = 1, max = 3, role = "general" }
    low     = { machine = "g2-standard-8", gpu = "nvidia-l4", spot = true, max = 2, zones = ["a", "b", "c"], role = "worker-low" }
  }

  billing_account = var.billing_account
  monthly_usd     = 300
}
