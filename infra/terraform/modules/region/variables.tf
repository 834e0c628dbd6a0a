variable "project_id" {
  description = "Project that the region belongs to; the setting EARMARK_GCP_PROJECT."
  type        = string
}

variable "environment" {
  description = "Label of everything: dev, prod."
  type        = string
}

variable "region" {
  description = "Where everything is, data and machines; the setting EARMARK_GCP_LOCATION."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "A single region, as europe-west4: keys, messages and machines have no multi-region to share with buckets."
  }
}

variable "prefix" {
  description = "First word of every name; the setting EARMARK_GCP_PREFIX."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,16}[a-z0-9]$", var.prefix))
    error_message = "The prefix has 2 to 18 small letters, digits and hyphens, none at its end: a service account's name has 30 at most."
  }
}

variable "host" {
  description = "What the region's API is called, empty = not on the net: log lines about requests are told apart by it."
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

variable "agents" {
  description = "Google's own accounts that encrypt, as members, by the key that they use."
  type        = map(string)
}

variable "reports_agent" {
  description = "Storage Insights' own account, as a member."
  type        = string
}

variable "row_writer_role" {
  description = "Full name of the project's role that may change rows, and no table."
  type        = string
}

variable "object_dater_role" {
  description = "Full name of the project's role that may add, read and date objects."
  type        = string
}

variable "protection_level" {
  description = "SOFTWARE or HSM, for all keys."
  type        = string
}

variable "lease_s" {
  description = "The setting EARMARK_LEASE_S, rounded; where it changes, so must the subscriptions."
  type        = number
}

variable "pools" {
  description = "Machines, by the pool's name; see the module workers."
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
  description = "Image of the router, by digest, for what runs by the clock; empty = nothing does."
  type        = string
}

variable "operators" {
  description = "IAM members who may act as the tool for dead letters."
  type        = list(string)
}

variable "analysts" {
  description = "IAM members who read the warehouse, as dashboards do."
  type        = list(string)
}

variable "inventory_reports" {
  description = "Whether Cloud Storage lists the uploads once a day, for buckets that are too large to list."
  type        = bool
}

variable "audit_locked" {
  description = "Whether nobody may shorten the audit trail's retention; cannot be undone."
  type        = bool
}

variable "disposable" {
  description = "Whether `terraform destroy` may take what holds data."
  type        = bool
}

variable "notification_channels" {
  description = "Whom alerts about dead letters, and about what runs by the clock, are sent to."
  type        = list(string)
}

variable "documents_url" {
  description = "Where docs/ can be read, for the alert's link; empty = it names the page's path only."
  type        = string
}

variable "dead_letters_max" {
  description = "Undelivered dead letters above which somebody is told."
  type        = number
}

variable "dead_letter_age_max_s" {
  description = "Age in seconds of the oldest dead letter nobody collected, above which somebody is told; a multiple of 60."
  type        = number
}

variable "settings" {
  description = "More settings of every process (docs/settings.md), as EARMARK_MODEL: what routes by the clock must name the same model as the routers, or it makes other jobs of the same uploads."
  type        = map(string)

  validation {
    condition     = alltrue([for name in keys(var.settings) : startswith(name, "EARMARK_")])
    error_message = "Settings are named EARMARK_NAME."
  }
}

variable "log_days" {
  description = "Days that log lines are kept; they name tenants and jobs, and erasure does not reach them."
  type        = number
}
