output "cloud" {
  description = "The cloud section of a run's config: roadworthy cloud init --from-terraform."
  value       = module.platform.cloud
}

output "platform" {
  description = "What people and workflows need to know: images, cluster, endpoints, accounts."
  value = {
    protected       = module.platform.protected
    images          = module.platform.images
    pipelines       = module.platform.pipelines
    cluster         = module.platform.cluster
    endpoints       = module.platform.endpoints
    tensorboard     = module.platform.tensorboard
    serving_account = module.platform.serving_account
    github          = module.platform.github
  }
}
