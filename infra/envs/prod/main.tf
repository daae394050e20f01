# What people depend on: a cluster with GPUs that cost nothing until a pod asks for one; nothing in it can be deleted by mistake.

locals {
  labels = { app = "roadworthy", env = "prod" }
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

  protected     = true
  undelete_days = { data = 30, models = 90 }
  cluster = {
    mode = "standard"
    pools = {
      serving = { machine_type = "n2-standard-4", min_nodes = 2, max_nodes = 12 }
      l4      = { machine_type = "g2-standard-8", max_nodes = 4, gpu = { type = "nvidia-l4" } }
    }
  }
  models = {
    fashion = { on = "cluster", availability = 0.999, latency_ms = 100, latency = 0.99 }
  }
  quotas = { CustomModelTrainingL4GPUsPerProjectPerRegion = 1 }
}
