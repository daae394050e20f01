# Made by infra/bootstrap.
terraform {
  backend "gcs" {
    bucket = "roadworthy-prod-terraform"
    prefix = "platform"
  }
}
