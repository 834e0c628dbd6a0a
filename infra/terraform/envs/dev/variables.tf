variable "project_id" {
  description = "Project of this environment; no other environment shares it."
  type        = string
}

variable "image" {
  description = "Image of the router, by digest; empty until the first is pushed."
  type        = string
  default     = ""
}

variable "settings" {
  description = "More settings of every process, by EARMARK_NAME, as they are in the cluster's ConfigMap."
  type        = map(string)
  default     = {}
}

variable "documents_url" {
  description = "Where docs/ can be read, as https://…/blob/main, for links to runbooks; empty = alerts name the runbook's path only."
  type        = string
  default     = ""

  validation {
    condition     = var.documents_url == "" || can(regex("^https://.*[^/]$", var.documents_url))
    error_message = "An address as https://git.example.com/earmark/blob/main, below which docs/runbooks.md is found."
  }
}

variable "tickets" {
  description = "Mail addresses that are told of alerts."
  type        = list(string)
  default     = []
}

variable "billing_account" {
  description = "Billing account that pays for the project, for the budget; empty = no budget."
  type        = string
  default     = ""

  validation {
    condition     = var.billing_account == "" || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.billing_account))
    error_message = "A billing account is named as 0A1B2C-3D4E5F-6A7B8C: gcloud billing projects describe PROJECT."
  }
}

variable "pages" {
  description = "Mail addresses that are told of what must not wait; empty = those of tickets."
  type        = list(string)
  default     = []
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

variable "lease_s" {
  description = "The setting EARMARK_LEASE_S, rounded."
  type        = number
  default     = 30
}

variable "metric_readers" {
  description = "Kubernetes service accounts, as NAMESPACE/NAME, that read metrics to scale by: keda/keda-operator, or custom-metrics/custom-metrics-stackdriver-adapter for scaling-hpa."
  type        = list(string)
  default     = []
}

variable "inventory_reports" {
  description = "Whether Cloud Storage lists the uploads once a day, for buckets that are too large to list."
  type        = bool
  default     = false
}

variable "log_days" {
  description = "Days that log lines are kept; they name tenants and jobs, and erasure does not reach them."
  type        = number
  default     = 30
}

variable "monthly_cost" {
  description = "What a month is expected to cost, in units of currency: a guess, to be replaced."
  type        = number
  default     = 300
}

variable "currency" {
  description = "Currency of the billing account, as USD; a budget in another one is refused."
  type        = string
  default     = "USD"
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
