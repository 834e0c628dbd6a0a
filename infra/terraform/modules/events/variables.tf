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

variable "storage_agent" {
  description = "Cloud Storage's own account, as a member: it tells of new objects."
  type        = string
}

variable "uploads_bucket" {
  description = "Name of the bucket whose new objects the topic uploads hears of."
  type        = string
}

variable "lease_s" {
  description = "Acknowledgement deadline in seconds of results and notices, as of the lanes."
  type        = number
  default     = 30
}

variable "members" {
  description = "IAM member of each component, by its name."
  type        = map(string)
}

variable "publishers" {
  description = "Components that publish, by topic: results, notices."
  type        = map(list(string))
}

variable "subscribers" {
  description = "Components that pull, by topic: uploads; listeners of your own to results and notices."
  type        = map(list(string))
}
