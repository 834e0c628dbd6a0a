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
  description = "Mail addresses that are told of what can wait until morning."
  type        = list(string)
  default     = []
}

variable "billing_account" {
  description = "Billing account of the budget; empty = no budget."
  type        = string
  default     = ""
}

variable "pages" {
  description = "Mail addresses that are told of what must not wait."
  type        = list(string)
}

variable "page_channels" {
  description = "Full names of channels made elsewhere, as of PagerDuty, that are told of pages too."
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
