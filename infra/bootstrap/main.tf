# The bucket that holds the state of an environment. Its own state stays with whoever ran this, once; see the runbook.

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
    terraform = { writers = var.administrators, versions_kept = 50, undelete_days = 90 }
  }
}
