output "kubeflow" {
  description = "What make kubeflow puts into the manifests: the bucket, the database behind Cloud SQL's proxy, the accounts."
  value = {
    bucket     = trimprefix(module.storage.urls["kubeflow"], "gs://")
    connection = module.kubeflow.connection
    accounts   = module.kubeflow.emails
    cluster    = module.gke.name
  }
}
