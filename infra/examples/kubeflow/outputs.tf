output "kubeflow" {
  description = "What the manifests ask for: the bucket, the database behind Cloud SQL's proxy, the accounts."
  value = {
    bucket     = trimprefix(module.storage.urls["kubeflow"], "gs://")
    connection = module.kubeflow.connection
    accounts   = module.kubeflow.emails
    cluster    = module.gke.name
  }
}
