# Made by infra/bootstrap.
terraform {
  backend "gcs" {
    bucket = "roadworthy-staging-terraform"
    prefix = "platform"
  }
}
