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
  description = "Where docs/ can be read, for the links to runbooks."
  type        = string
  default     = ""
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
  description = "IAM members who may act as the tool for dead letters, as group:operators@example.com."
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
  description = "Kubernetes service accounts, as NAMESPACE/NAME, that read metrics to scale by: keda/keda-operator."
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
