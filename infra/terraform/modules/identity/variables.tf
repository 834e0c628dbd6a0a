variable "project_id" {
  description = "Project that the service accounts are made in."
  type        = string
}

variable "prefix" {
  description = "First word of their names, and the Kubernetes namespace that may act as them."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,16}[a-z0-9]$", var.prefix))
    error_message = "The prefix has 2 to 18 small letters, digits and hyphens, none at its end: a service account's name has 30 at most."
  }
}

variable "components" {
  description = "What each component is for, by its name, which is its Kubernetes service account too."
  type        = map(string)
}

variable "queries" {
  description = "Components that run BigQuery jobs."
  type        = list(string)
}

variable "signs" {
  description = "Components that sign addresses of uploads."
  type        = list(string)
}

variable "reads_metrics" {
  description = "Components that read Cloud Monitoring."
  type        = list(string)
}

variable "acted_as" {
  description = "People, as IAM members, who may act as a component, by its name: operators as the tool for dead letters."
  type        = map(list(string))
  default     = {}
}

variable "workload_pool" {
  description = "Pool of the identities of Kubernetes' service accounts, PROJECT.svc.id.goog: nobody in it can be granted anything before the first cluster is there."
  type        = string
}
