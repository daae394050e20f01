locals {
  services = toset([
    "aiplatform.googleapis.com", "artifactregistry.googleapis.com", "binaryauthorization.googleapis.com", "billingbudgets.googleapis.com", "cloudkms.googleapis.com",
    "cloudquotas.googleapis.com", "cloudresourcemanager.googleapis.com", "cloudscheduler.googleapis.com", "compute.googleapis.com", "container.googleapis.com",
    "containerscanning.googleapis.com", "dataflow.googleapis.com", "dns.googleapis.com", "iam.googleapis.com",
    "iamcredentials.googleapis.com", "logging.googleapis.com", "monitoring.googleapis.com", "servicenetworking.googleapis.com",
    "serviceusage.googleapis.com", "storage.googleapis.com", "sts.googleapis.com",
  ])
  on_vertex = { for name, model in var.models : name => model if model.on == "vertex" }
}

module "services" {
  source = "../modules/services"

  project  = var.project
  services = local.services
}


module "network" {
  source = "../modules/network"

  project       = module.services.project
  region        = var.region
  name          = var.name
  peering_range = "10.30.0.0/16"
  subnet = {
    nodes    = "10.10.0.0/20"
    pods     = var.cluster == null ? null : "10.20.0.0/14"
    services = var.cluster == null ? null : "10.24.0.0/20"
    proxies  = var.cluster == null ? null : "10.129.0.0/23"
  }
}

module "kms" {
  source = "../modules/kms"

  project  = module.services.project
  location = var.region
  name     = var.name
  keys = {
    storage  = { users = [module.services.agents["storage.googleapis.com"]] }
    registry = { users = [module.services.agents["artifactregistry.googleapis.com"]] }
    vertex   = { users = [module.services.agents["aiplatform.googleapis.com"]] }
    gke      = { users = [module.services.agents["container.googleapis.com"], module.services.agents["compute.googleapis.com"]] }
    dataflow = { users = [
      module.services.agents["dataflow.googleapis.com"],
      module.services.agents["compute.googleapis.com"],
    ] }
  }
}

module "identity" {
  source = "../modules/identity"

  project = module.services.project
  prefix  = var.name
  cluster = var.cluster != null
  github  = var.github
}

module "dataflow" {
  source = "../modules/dataflow"

  project    = module.services.project
  name       = var.name
  network    = { id = module.network.id, subnet = module.network.subnet.id }
  kms_key    = module.kms.keys["dataflow"]
  submitters = { pipeline = module.identity.members["pipeline"] }
}

module "storage" {
  source = "../modules/storage"

  project       = module.services.project
  location      = var.region
  prefix        = var.project
  kms_key       = module.kms.keys["storage"]
  force_destroy = !var.protected
  buckets = {
    pipeline = {
      writers           = [module.identity.members["pipeline"], module.identity.members["trainer"], module.dataflow.member]
      undelete_days     = var.undelete_days.pipeline
      delete_after_days = 90
    }
    data = {
      readers         = [module.identity.members["pipeline"], module.identity.members["trainer"], module.dataflow.member]
      undelete_days   = var.undelete_days.data
      cold_after_days = 90
    }
    models = {
      readers       = [module.identity.members["serving"]]
      writers       = [module.identity.members["pipeline"]]
      versions_kept = 10
      undelete_days = var.undelete_days.models
    }
  }
}

module "registry" {
  source = "../modules/registry"

  project  = module.services.project
  location = var.region
  name     = var.name
  kms_key  = module.kms.keys["registry"]
  readers = concat(
    [for role in ["pipeline", "trainer", "serving"] : module.identity.members[role]], [module.dataflow.member], module.gke[*].node_member
  )
  writers = [module.identity.members["ci"]]
}

module "vertex" {
  source = "../modules/vertex"

  project   = module.services.project
  region    = var.region
  name      = var.name
  kms_key   = module.kms.keys["vertex"]
  models    = toset(keys(local.on_vertex))
  quotas    = var.quotas
  schedules = var.schedules
  runs = {
    pipeline_root   = "${module.storage.urls["pipeline"]}/runs"
    service_account = module.identity.emails["pipeline"]
    network         = "projects/${module.services.number}/global/networks/${module.network.name}"
    labels          = var.labels
  }
}

module "gke" {
  source = "../modules/gke"
  count  = var.cluster == null ? 0 : 1

  project             = module.services.project
  region              = var.region
  name                = var.name
  network             = { id = module.network.id, subnet = module.network.subnet }
  kms_key             = module.kms.keys["gke"]
  mode                = var.cluster.mode
  pools               = var.cluster.pools
  authorized_networks = var.cluster.authorized_networks
  images              = concat(["${var.region}-docker.pkg.dev/${var.project}/${var.name}/**"], var.cluster.images)
  operators           = { deployer = module.identity.members["deployer"] }
  deletion_protection = var.protected
}

module "monitoring" {
  source = "../modules/monitoring"

  project = module.services.project
  name    = var.name
  emails  = var.emails
  budget  = var.budget
  models = {
    for name, model in var.models : name => {
      endpoint     = model.on == "vertex" ? module.vertex.endpoints[name] : null
      availability = model.availability
      latency_ms   = model.latency_ms
      latency      = model.latency
    }
  }
}
