variable "project_id" {
  description = "Project, which exists and has a billing account."
  type        = string
}

variable "audited" {
  description = "Services of which each read and write is logged."
  type        = list(string)
  default = [
    "bigquery.googleapis.com",
    "cloudkms.googleapis.com",
    "iam.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
  ]
}
