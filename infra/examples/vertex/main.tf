# The least that runs pipelines on Vertex AI: no network, no cluster, no Dataflow.

provider "google" {
  project = var.project
  region  = var.region
}

module "services" {
  source = "../../modules/services"

  project = var.project
  services = [
    "aiplatform.googleapis.com", "artifactregistry.googleapis.com", "cloudkms.googleapis.com", "cloudresourcemanager.googleapis.com",
    "iam.googleapis.com", "storage.googleapis.com",
  ]
}

module "kms" {
  source = "../../modules/kms"

  project  = module.services.project
  location = var.region
  name     = "roadworthy"
  keys = {
    storage  = { users = [module.services.agents["storage.googleapis.com"]] }
    registry = { users = [module.services.agents["artifactregistry.googleapis.com"]] }
    vertex   = { users = [module.services.agents["aiplatform.googleapis.com"]] }
  }
}

module "identity" {
  source = "../../modules/identity"

  project = module.services.project
  prefix  = "roadworthy"
  accounts = {
    pipeline = {
      description = "Runs the pipeline's nodes."
      roles       = ["roles/aiplatform.user", "roles/logging.logWriter"]
      acts_as     = ["pipeline"]
    }
  }
}

module "storage" {
  source = "../../modules/storage"

  project  = module.services.project
  location = var.region
  prefix   = var.project
  kms_key  = module.kms.keys["storage"]
  buckets = {
    pipeline = { writers = [module.identity.members["pipeline"]], delete_after_days = 90 }
    models   = { writers = [module.identity.members["pipeline"]] }
  }
}

module "registry" {
  source = "../../modules/registry"

  project  = module.services.project
  location = var.region
  name     = "roadworthy"
  kms_key  = module.kms.keys["registry"]
  readers  = [module.identity.members["pipeline"]]
}

module "vertex" {
  source = "../../modules/vertex"

  project = module.services.project
  region  = var.region
  name    = "roadworthy"
  kms_key = module.kms.keys["vertex"]
  models  = ["fashion"]
  runs = {
    pipeline_root   = "${module.storage.urls["pipeline"]}/runs"
    service_account = module.identity.emails["pipeline"]
  }
}
