output "cloud" {
  description = "The cloud section of a run's config: roadworthy cloud init --from-terraform."
  value = {
    project         = var.project
    region          = var.region
    pipeline_root   = "${module.storage.urls["pipeline"]}/runs"
    data            = "${module.storage.urls["data"]}/data"
    model_root      = "${module.storage.urls["models"]}/served"
    image           = "${module.registry.images}/pipeline:${var.release}"
    service_account = module.identity.emails["pipeline"]
    trainer_account = module.identity.emails["trainer"]
    serving_account = module.identity.emails["serving"]
    network         = "projects/${module.services.number}/global/networks/${module.network.name}"
    kms_key         = module.kms.keys["vertex"]
    labels          = var.labels
    beam            = { runner = "dataflow", options = module.dataflow.options }
  }
}

output "tensorboard" {
  description = "Id of the Tensorboard, for tb-gcp-uploader: runs leave their logs beside their models, and nothing uploads them by itself."
  value       = module.vertex.tensorboard
}

output "endpoints" {
  description = "Ids of Vertex AI's endpoints by model."
  value       = module.vertex.endpoints
}

output "images" {
  description = "Where images are pushed to."
  value       = module.registry.images
}

output "pipelines" {
  description = "Where compiled pipelines are uploaded to, for schedules."
  value       = module.registry.pipelines
}

output "cluster" {
  description = "Name of the cluster, or null."
  value       = one(module.gke[*].name)
}

output "serving_account" {
  description = "Account of the servers, for the annotation iam.gke.io/gcp-service-account."
  value       = module.identity.emails["serving"]
}

output "github" {
  description = "What the workflows sign in with: the provider, and the accounts by the GitHub environment that takes them on; null without github."
  value = var.github == null ? null : {
    workload_identity_provider = module.identity.github_provider
    accounts = {
      for environment in distinct(flatten([for environments in values(var.github.environments) : tolist(environments)])) :
      environment => [for account, environments in var.github.environments : module.identity.emails[account] if contains(environments, environment)]
    }
  }
}

output "protected" {
  description = "Whether what holds data can't be deleted by Terraform: buckets with objects, and the cluster where there is one."
  value       = module.storage.protected && alltrue(module.gke[*].protected)
}
