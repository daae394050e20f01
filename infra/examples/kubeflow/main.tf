# Kubeflow Pipelines on a cluster of one's own, in place of Vertex AI: what infra/kubernetes/kubeflow needs to find.

provider "google" {
  project = var.project
  region  = var.region
}

module "services" {
  source = "../../modules/services"

  project = var.project
  services = [
    "cloudkms.googleapis.com", "cloudresourcemanager.googleapis.com", "compute.googleapis.com", "container.googleapis.com", "dns.googleapis.com",
    "iam.googleapis.com", "iamcredentials.googleapis.com", "servicenetworking.googleapis.com", "sqladmin.googleapis.com", "storage.googleapis.com",
  ]
}

module "network" {
  source = "../../modules/network"

  project       = module.services.project
  region        = var.region
  name          = "roadworthy"
  peering_range = "10.30.0.0/16"
  subnet        = { pods = "10.20.0.0/14", services = "10.24.0.0/20" }
}

module "kms" {
  source = "../../modules/kms"

  project  = module.services.project
  location = var.region
  name     = "roadworthy"
  keys = {
    storage = { users = [module.services.agents["storage.googleapis.com"]] }
    gke     = { users = [module.services.agents["container.googleapis.com"], module.services.agents["compute.googleapis.com"]] }
    sql     = { users = [module.services.agents["sqladmin.googleapis.com"]] }
  }
}

module "gke" {
  source = "../../modules/gke"

  project = module.services.project
  region  = var.region
  name    = "roadworthy"
  network = { id = module.network.id, subnet = module.network.subnet }
  kms_key = module.kms.keys["gke"]
  mode    = "standard"
  pools = {
    pipelines = { machine_type = "n2-standard-8", min_nodes = 1, max_nodes = 8 }
    l4        = { machine_type = "g2-standard-8", max_nodes = 4, spot = true, gpu = { type = "nvidia-l4" } }
    v5e       = { machine_type = "ct5lp-hightpu-4t", max_nodes = 1, zones = ["${var.region}-b"], tpu = {} } # of europe-west4, that zone alone has them
  }
}

module "kubeflow" {
  source = "../../modules/kubeflow"

  project = module.services.project
  region  = var.region
  name    = "roadworthy"
  network = module.network.id
  kms_key = module.kms.keys["sql"]
}

module "storage" {
  source = "../../modules/storage"

  project  = module.services.project
  location = var.region
  prefix   = var.project
  kms_key  = module.kms.keys["storage"]
  buckets = {
    kubeflow = {
      readers           = [module.kubeflow.members["ui"]]
      writers           = [module.kubeflow.members["run"]]
      delete_after_days = 90
    }
  }
}
