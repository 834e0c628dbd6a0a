variable "project_id" {
  description = "Project that the jobs are made in."
  type        = string
}

variable "prefix" {
  description = "First word of every name; the setting EARMARK_GCP_PREFIX."
  type        = string
}

variable "region" {
  description = "Region that the jobs run in."
  type        = string
}

variable "labels" {
  description = "Labels of the jobs."
  type        = map(string)
  default     = {}
}

variable "kms_key" {
  description = "Key that the jobs' images are encrypted with while they are kept."
  type        = string
}

variable "network" {
  description = "Full name of the network."
  type        = string
}

variable "subnetwork" {
  description = "Full name of the region's subnetwork."
  type        = string
}

variable "image" {
  description = "Image of the jobs, by its digest."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "Images are named by digest: REGISTRY/NAME@sha256:64 hexadecimal digits.  A tag can be moved."
  }
}

variable "environment" {
  description = "Settings of every job, as EARMARK_GCP_PROJECT."
  type        = map(string)
}

variable "jobs" {
  description = "What is run, by name: the arguments of `earmark`, when (cron, UTC, each day), as which account (its address), the section of the runbooks that its alerts name, for how long at most, and with how much memory."
  type = map(object({
    arguments = list(string)
    schedule  = string
    account   = string
    runbook   = string
    timeout_s = optional(number, 3600)
    memory    = optional(string, "1Gi")
  }))
}

variable "notification_channels" {
  description = "Whom it is told that a job failed, or did not run."
  type        = list(string)
}

variable "documents_url" {
  description = "Where docs/ can be read, for the alerts' links; empty = they name the page's path only."
  type        = string
}

variable "reports" {
  description = "Buckets, by their full names, of which Cloud Storage itself lists all objects once a day, for comparisons that a listing would take too long for."
  type        = list(string)
  default     = []
}

variable "reports_agent" {
  description = "Storage Insights' own account, as a member: it reads what it lists and writes the reports."
  type        = string
  default     = ""
}

variable "reports_bucket" {
  description = "Bucket that the reports are written to, below inventories/: one that forgets by itself, for they name customers' files."
  type        = string
  default     = ""
}

variable "disposable" {
  description = "Whether `terraform destroy` may take the jobs."
  type        = bool
  default     = false
}
