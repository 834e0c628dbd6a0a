variable "project_id" {
  description = "Project that the dataset is made in."
  type        = string
}

variable "prefix" {
  description = "The setting EARMARK_GCP_PREFIX; with underscores for hyphens it is the dataset's name."
  type        = string
}

variable "labels" {
  description = "Labels of dataset and tables."
  type        = map(string)
  default     = {}
}

variable "location" {
  description = "Where the dataset is; the setting EARMARK_GCP_LOCATION."
  type        = string
}

variable "kms_key" {
  description = "Key that tables are encrypted with; in the same location."
  type        = string
}

variable "disposable" {
  description = "Whether `terraform destroy` may take the tables with all that is in them."
  type        = bool
  default     = false
}

variable "row_writer_role" {
  description = "Full name of the project's role that may read and change rows, and no table."
  type        = string
}

variable "members" {
  description = "IAM member of each component, by its name."
  type        = map(string)
}

variable "writers" {
  description = "Components that append, read and purge rows."
  type        = list(string)
}

variable "viewers" {
  description = "Components that only read."
  type        = list(string)
  default     = []
}

variable "readers" {
  description = "People and services that read, as IAM members: analysts, dashboards."
  type        = list(string)
  default     = []
}
