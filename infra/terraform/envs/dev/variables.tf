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
  description = "Billing account of the budget; empty = no budget."
  type        = string
  default     = ""
}
