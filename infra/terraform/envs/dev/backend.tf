# State holds names and numbers, no secret; the bucket is made by hand, once: docs/terraform.md.
#   terraform init -backend-config="bucket=PROJECT-terraform"
terraform {
  backend "gcs" {
    prefix = "earmark/dev"
  }
}
