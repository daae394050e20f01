output "kubeflow" {
  description = "What the manifests ask for: the bucket, the database behind Cloud SQL's proxy, the account."
  value = {
    bucket     = trimprefix(module.storage.urls["kubeflow"], "gs://")
    connection = module.kubeflow.connection
    account    = module.kubeflow.email
    cluster    = module.gke.name
  }
}
