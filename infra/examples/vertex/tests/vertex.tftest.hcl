mock_provider "google-beta" {}

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

variables {
  project = "acme-vision"
}

run "runs_have_where_to_go" {
  command = plan

  assert {
    condition     = output.cloud.pipeline_root == "gs://acme-vision-pipeline/runs" && output.cloud.model_root == "gs://acme-vision-models/served"
    error_message = "A run's config must name the buckets."
  }
}
