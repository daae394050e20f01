output "cloud" {
  description = "The cloud section of a run's config: roadworthy cloud init --from-terraform."
  value = {
    project         = var.project
    region          = var.region
    pipeline_root   = "${module.storage.urls["pipeline"]}/runs"
    model_root      = "${module.storage.urls["models"]}/served"
    image           = "${module.registry.images}/pipeline:v0.1.0"
    service_account = module.identity.emails["pipeline"]
    kms_key         = module.kms.keys["vertex"]
  }
}
