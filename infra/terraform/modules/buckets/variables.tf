variable "project_id" {
  description = "Project that everything is made in; first word of the buckets' names, which are unique in the world."
  type        = string
}

variable "prefix" {
  description = "Second word of the buckets' names; the setting EARMARK_GCP_PREFIX."
  type        = string
}

variable "labels" {
  description = "Labels of the buckets."
  type        = map(string)
  default     = {}
}

variable "location" {
  description = "Where the buckets are; the setting EARMARK_GCP_LOCATION."
  type        = string
}

variable "kms_key" {
  description = "Key that objects are encrypted with; in the same location."
  type        = string
}

variable "audit_locked" {
  description = "Whether nobody, not even an owner, may shorten the audit trail's retention; cannot be undone."
  type        = bool
  default     = false
}

variable "disposable" {
  description = "Whether `terraform destroy` may take the buckets with all that is in them."
  type        = bool
  default     = false
}

variable "members" {
  description = "IAM member of each component, by its name."
  type        = map(string)
}

variable "dater_role" {
  description = "Full name of the project's role that may add, read and date objects."
  type        = string
}

variable "access" {
  description = "Components by bucket and by what they may do: view; create; date (view, create and update); use (date and delete)."
  type        = map(map(list(string)))

  validation {
    condition     = alltrue([for bucket, grants in var.access : length(setsubtract(keys(grants), ["view", "create", "date", "use"])) == 0])
    error_message = "What may be done with a bucket is view, create, date or use."
  }
}
