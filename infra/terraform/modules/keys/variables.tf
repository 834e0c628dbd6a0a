variable "project_id" {
  description = "Project that the keys are made in."
  type        = string
}

variable "prefix" {
  description = "Name of the key ring."
  type        = string
}

variable "location" {
  description = "Where the keys are: the region of what they encrypt."
  type        = string
}

variable "labels" {
  description = "Labels of the keys."
  type        = map(string)
  default     = {}
}

variable "protection_level" {
  description = "SOFTWARE, or HSM for keys that never leave a hardware module."
  type        = string
  default     = "SOFTWARE"

  validation {
    condition     = contains(["SOFTWARE", "HSM"], var.protection_level)
    error_message = "The protection level is SOFTWARE or HSM."
  }
}

variable "users" {
  description = "Google's own accounts, as members, by the key that each encrypts with: one key a kind of store, so that one can be taken away without the others."
  type        = map(string)
}
