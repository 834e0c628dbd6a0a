variable "project_id" {
  description = "Project that the alerts are made in."
  type        = string
}

variable "labels" {
  description = "Labels of the alerts."
  type        = map(string)
  default     = {}
}

variable "rules_folder" {
  description = "Folder of Prometheus' rule files, *.rules.yml: the same that Prometheus itself loads."
  type        = string
}

variable "documents_url" {
  description = "Where docs/ can be read, for the links to runbooks: https://…/blob/main.  Empty = alerts name the runbook's path only."
  type        = string
  default     = ""
}

variable "pages" {
  description = "Mail addresses that are told of what must not wait (severity page)."
  type        = list(string)
  default     = []
}

variable "tickets" {
  description = "Mail addresses that are told of what can wait until morning (severity ticket)."
  type        = list(string)
  default     = []
}

variable "page_channels" {
  description = "Full names of channels made elsewhere, as of PagerDuty or Slack, that are told of pages too."
  type        = list(string)
  default     = []
}

variable "evaluation_interval_s" {
  description = "Seconds between two looks at each rule; a multiple of 30."
  type        = number
  default     = 30

  validation {
    condition     = var.evaluation_interval_s > 0 && var.evaluation_interval_s % 30 == 0
    error_message = "Cloud Monitoring evaluates each 30 s or a multiple of it."
  }
}

variable "api_hosts" {
  description = "Hosts of the API, asked from outside whether they answer."
  type        = list(string)
  default     = []
}

variable "billing_account" {
  description = "Billing account of the budget; empty = no budget."
  type        = string
  default     = ""
}

variable "project_number" {
  description = "Number of the project, which the budget is about."
  type        = string
}

variable "monthly_cost" {
  description = "What a month is expected to cost, in units of currency; told at half, nine tenths and all of it, and where the forecast exceeds it."
  type        = number
  default     = 1000
}

variable "currency" {
  description = "Currency of the billing account, as USD: Google refuses a budget in another one."
  type        = string
  default     = "USD"

  validation {
    condition     = can(regex("^[A-Z]{3}$", var.currency))
    error_message = "A currency has three capital letters: gcloud billing accounts describe ACCOUNT --format='value(currencyCode)'."
  }
}
