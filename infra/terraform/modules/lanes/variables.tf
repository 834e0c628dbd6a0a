variable "project_id" {
  description = "Project that everything is made in."
  type        = string
}

variable "prefix" {
  description = "First word of every name; the setting EARMARK_GCP_PREFIX."
  type        = string
}

variable "labels" {
  description = "Labels of everything that can bear them."
  type        = map(string)
  default     = {}
}

variable "storage_regions" {
  description = "Regions in which Pub/Sub may keep messages, on disk and on their way."
  type        = list(string)
}

variable "kms_key" {
  description = "Key that messages are encrypted with."
  type        = string
}

variable "pubsub_agent" {
  description = "Pub/Sub's own account, as a member: it moves messages to the dead letters."
  type        = string
}

variable "lease_s" {
  description = "Acknowledgement deadline in seconds; the setting EARMARK_LEASE_S, rounded, from 10 to 600."
  type        = number
  default     = 30

  validation {
    condition     = var.lease_s >= 10 && var.lease_s <= 600
    error_message = "Pub/Sub takes acknowledgement deadlines from 10 to 600 seconds."
  }
}

variable "members" {
  description = "IAM member of each component, by its name."
  type        = map(string)
}

variable "publishers" {
  description = "Components that publish, by lane: high, low, dead."
  type        = map(list(string))
}

variable "subscribers" {
  description = "Components that pull, by lane: high, low, dead."
  type        = map(list(string))
}

variable "viewers" {
  description = "Components that look at the subscription itself, for its deadline or as a probe, by lane."
  type        = map(list(string))
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

variable "notification_channels" {
  description = "Whom the alerts about dead letters are sent to."
  type        = list(string)
  default     = []
}

variable "documents_url" {
  description = "Where docs/ can be read, for the alert's link; empty = it names the page's path only."
  type        = string
  default     = ""
}
