# What production will be, in small: an autopilot cluster beside Vertex AI, and protected as there.

locals {
  labels = { app = "roadworthy", env = "staging" }
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

  protected = true
  cluster   = { mode = "autopilot" }
  models = {
    fashion = { on = "cluster" }
  }
}
