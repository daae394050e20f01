# The buckets that hold the state of an environment, and plans until they are applied. Their own state stays with whoever ran this, once; see the runbook.

provider "google" {
  project        = var.project
  region         = var.region
  default_labels = { app = "roadworthy" }
}

module "services" {
  source = "../modules/services"

  project  = var.project
  services = ["cloudkms.googleapis.com", "cloudresourcemanager.googleapis.com", "serviceusage.googleapis.com", "storage.googleapis.com"]
}

module "kms" {
  source = "../modules/kms"

  project  = module.services.project
  location = var.region
  name     = "terraform"
  keys     = { state = { users = [module.services.agents["storage.googleapis.com"]] } }
}

module "storage" {
  source = "../modules/storage"

  project  = module.services.project
  location = var.region
  prefix   = var.project
  kms_key  = module.kms.keys["state"]
  buckets = {
    terraform       = { readers = var.planners, writers = var.administrators, versions_kept = 50, noncurrent_days = 365, undelete_days = 90 }
    terraform-plans = { writers = concat(var.administrators, var.planners), delete_after_days = 7 }
  }
}
