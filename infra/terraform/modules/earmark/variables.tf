variable "project_id" {
  description = "Project, which exists and has a billing account; the setting EARMARK_GCP_PROJECT."
  type        = string
}

variable "environment" {
  description = "Label of everything: dev, prod."
  type        = string
}

variable "regions" {
  description = <<-EOT
    Regions, one line each: everything there is of Earmark is in each of them, and nothing goes from one to another.
    prefix is the first word of every name there (EARMARK_GCP_PREFIX) and the Kubernetes namespace; number, 0 to 15,
    gives its addresses.  Neither can be changed later.  host is what its API is called, empty = not on the net.  pools replaces the machines of the other regions.
  EOT
  type = map(object({
    prefix = string
    number = number
    host   = optional(string, "")
    image  = optional(string)
    pools = optional(map(object({
      machine   = string
      gpu       = optional(string, "")
      gpus      = optional(number, 1)
      spot      = optional(bool, false)
      min       = optional(number, 0)
      max       = number
      zones     = optional(list(string), [])
      disk_gb   = optional(number, 200)
      disk_type = optional(string, "pd-balanced")
      role      = string
    })))
  }))

  validation {
    condition     = length(var.regions) > 0 && length(distinct([for region in var.regions : region.prefix])) == length(var.regions)
    error_message = "There is at least one region, and each has a prefix of its own: names of topics and accounts are the project's."
  }
}

variable "pools" {
  description = "Machines of each region, by the pool's name; see the module workers."
  type = map(object({
    machine   = string
    gpu       = optional(string, "")
    gpus      = optional(number, 1)
    spot      = optional(bool, false)
    min       = optional(number, 0)
    max       = number
    zones     = optional(list(string), [])
    disk_gb   = optional(number, 200)
    disk_type = optional(string, "pd-balanced")
    role      = string
  }))
}

variable "image" {
  description = "Image of the router, by digest, for what runs by the clock; empty = nothing does, as before the first image is pushed."
  type        = string
  default     = ""

  validation {
    condition     = var.image == "" || can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "Images are named by digest: REGISTRY/NAME@sha256:64 hexadecimal digits.  A tag can be moved."
  }
}

variable "protection_level" {
  description = "SOFTWARE or HSM, for all keys."
  type        = string
  default     = "SOFTWARE"
}

variable "lease_s" {
  description = "The setting EARMARK_LEASE_S, rounded."
  type        = number
  default     = 30
}

variable "rules_folder" {
  description = "Folder of Prometheus' rule files, which become alerts of Cloud Monitoring."
  type        = string
}

variable "range" {
  description = "Addresses of all regions together, a private /8 to /12 of IPv4; see the module network.  Cannot be changed later."
  type        = string
  default     = "10.0.0.0/10"
}

variable "requests_per_minute" {
  description = "Requests of one address a minute above which the edge answers 429."
  type        = number
  default     = 6000
}

variable "dead_letters_max" {
  description = "Undelivered dead letters above which somebody is told."
  type        = number
  default     = 100
}

variable "dead_letter_age_max_s" {
  description = "Age in seconds of the oldest dead letter nobody collected, above which somebody is told; a multiple of 60."
  type        = number
  default     = 3600
}

variable "documents_url" {
  description = "Where docs/ can be read, as https://…/blob/main, for links to runbooks; empty = alerts name the runbook's path only."
  type        = string
  default     = ""
}

variable "pages" {
  description = "Mail addresses that are told of what must not wait."
  type        = list(string)
  default     = []
}

variable "tickets" {
  description = "Mail addresses that are told of what can wait until morning."
  type        = list(string)
  default     = []
}

variable "page_channels" {
  description = "Full names of channels made elsewhere, as of PagerDuty, that are told of pages too."
  type        = list(string)
  default     = []
}

variable "billing_account" {
  description = "Billing account of the budget; empty = no budget."
  type        = string
  default     = ""
}

variable "monthly_cost" {
  description = "What a month is expected to cost, in units of currency."
  type        = number
  default     = 1000
}

variable "currency" {
  description = "Currency of the billing account, as USD; a budget in another one is refused."
  type        = string
  default     = "USD"
}

variable "operators" {
  description = "IAM members who may act as the tool for dead letters and reach the clusters, as group:operators@example.com."
  type        = list(string)
  default     = []
}

variable "analysts" {
  description = "IAM members who read the warehouse, as dashboards do."
  type        = list(string)
  default     = []
}

variable "metric_readers" {
  description = "Kubernetes service accounts, as NAMESPACE/NAME, that read metrics to scale by: keda/keda-operator, or custom-metrics/custom-metrics-stackdriver-adapter for scaling-hpa."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.metric_readers : can(regex("^[a-z0-9-]+/[a-z0-9-]+$", name))])
    error_message = "A Kubernetes service account is named NAMESPACE/NAME, as keda/keda-operator."
  }
}

variable "inventory_reports" {
  description = "Whether Cloud Storage lists the uploads once a day, for buckets that are too large to list."
  type        = bool
  default     = false

  validation {
    condition     = !var.inventory_reports || var.image != "" || anytrue([for region in var.regions : region.image != null])
    error_message = "Reports are made with what runs by the clock, which wants an image."
  }
}

variable "audit_locked" {
  description = "Whether nobody may shorten the audit trail's retention; cannot be undone."
  type        = bool
  default     = false
}

variable "disposable" {
  description = "Whether `terraform destroy` may take what holds data; for environments that are thrown away."
  type        = bool
  default     = false
}

variable "settings" {
  description = "More settings of every process (docs/settings.md), as EARMARK_MODEL: what routes by the clock must name the same model as the routers, or it makes other jobs of the same uploads."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.settings) : startswith(name, "EARMARK_")])
    error_message = "Settings are named EARMARK_NAME."
  }
}

variable "log_days" {
  description = "Days that log lines are kept; they name tenants and jobs, and erasure does not reach them."
  type        = number
  default     = 30
}
