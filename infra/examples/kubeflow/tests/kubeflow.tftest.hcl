mock_provider "google-beta" {}

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

variables {
  project = "acme-vision"
}

run "the_manifests_find_what_they_need" {
  command = plan

  assert {
    condition     = output.kubeflow.bucket == "acme-vision-kubeflow" && output.kubeflow.cluster == "roadworthy" && keys(output.kubeflow.accounts) == ["run", "sql", "ui"]
    error_message = "Kubeflow Pipelines must have a bucket, a cluster and the accounts that infra/kubernetes/kubeflow.sh asks for."
  }
}
