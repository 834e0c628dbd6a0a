# Requests are counted with this project, whoever makes them: a person's own login has no quota for budgets.
provider "google" {
  project               = var.project_id
  billing_project       = var.project_id
  user_project_override = true
}

module "earmark" {
  source = "../../modules/earmark"

  project_id       = var.project_id
  environment      = "prod"
  protection_level = "HSM"
  rules_folder     = "${path.root}/../../../prometheus"
  documents_url    = var.documents_url
  image            = var.image
  settings         = var.settings
  pages            = var.pages
  tickets          = var.tickets
  page_channels    = var.page_channels
  operators        = var.operators
  analysts         = var.analysts

  lease_s           = var.lease_s
  metric_readers    = var.metric_readers
  inventory_reports = var.inventory_reports
  audit_locked      = var.audit_locked
  log_days          = var.log_days

  range                 = var.range
  requests_per_minute   = var.requests_per_minute
  dead_letters_max      = var.dead_letters_max
  dead_letter_age_max_s = var.dead_letter_age_max_s

  # One line makes a region; docs/terraform.md says what else a second one needs.
  regions = {
    us-central1 = { prefix = "earmark", number = 0 }
  }

  # L4 carries Qwen2-Audio in 16 bits and is the cheapest that does; low jobs may be interrupted, so theirs are spot.
  # a100 and h100 start only for pods that choose them: larger models, or `vllm` with many streams.
  pools = {
    general = { machine = "n2-standard-8", min = 2, max = 6, role = "general" }
    high    = { machine = "g2-standard-8", gpu = "nvidia-l4", min = 1, max = 16, zones = ["a", "b", "c"], role = "worker-high" }
    low     = { machine = "g2-standard-8", gpu = "nvidia-l4", spot = true, max = 32, zones = ["a", "b", "c"], role = "worker-low" }
    a100    = { machine = "a2-highgpu-1g", gpu = "nvidia-tesla-a100", max = 4, zones = ["a", "b", "c"], role = "vllm" }
    h100    = { machine = "a3-highgpu-1g", gpu = "nvidia-h100-80gb", spot = true, max = 2, zones = ["a", "c"], role = "large" }
  }

  billing_account = var.billing_account
  monthly_cost    = var.monthly_cost
  currency        = var.currency
}
