# Where changes are tried: Vertex AI alone, and everything can be torn down.

locals {
  labels = { app = "roadworthy", env = "dev" }
}

provider "google" {
  project        = var.project
  region         = var.region
  default_labels = local.labels
}

module "platform" {
  source = "../../platform"

  project = var.project
  region  = var.region
  release = var.release
  labels  = local.labels
  emails  = var.emails
  github  = var.github
  budget  = var.budget

  schedules = var.schedules

  protected = false
  models    = { fashion = {} }
}
