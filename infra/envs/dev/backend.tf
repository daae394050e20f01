# Made by infra/bootstrap.
terraform {
  backend "gcs" {
    bucket = "roadworthy-dev-terraform"
    prefix = "platform"
  }
}
