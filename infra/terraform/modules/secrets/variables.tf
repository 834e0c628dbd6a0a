variable "project_id" {
  description = "Project that the secrets are made in."
  type        = string
}

variable "prefix" {
  description = "First word of their names."
  type        = string
}

variable "location" {
  description = "The one region that they are kept in."
  type        = string
}

variable "labels" {
  description = "Labels of the secrets."
  type        = map(string)
  default     = {}
}

variable "kms_key" {
  description = "Key that they are encrypted with; in the same region."
  type        = string
}

variable "members" {
  description = "IAM member of each component, by its name."
  type        = map(string)
}

variable "readers" {
  description = "Components that read a secret, by its name.  Values are added by people, never by Terraform, whose state would hold them."
  type        = map(list(string))
}

variable "disposable" {
  description = "Whether `terraform destroy` may take the secrets."
  type        = bool
  default     = false
}
