# What each resource must be is held by the modules' own tests, and by tests/infra/test_environments.py.
mock_provider "google-beta" {}

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

run "dev_has_no_cluster" {
  command = plan

  assert {
    condition     = output.platform.cluster == null && keys(output.platform.endpoints) == ["fashion"]
    error_message = "Development serves from Vertex AI alone."
  }

  assert {
    condition     = !output.platform.protected
    error_message = "This environment must be able to go as a whole."
  }

  assert {
    condition     = output.cloud.project == "roadworthy-dev" && output.cloud.labels.env == "dev"
    error_message = "A run's config must name this environment's project."
  }

  assert {
    condition     = output.cloud.pipeline_root == "gs://roadworthy-dev-pipeline/runs" && output.cloud.model_root == "gs://roadworthy-dev-models/served"
    error_message = "A run's config must name this environment's buckets."
  }
}

run "github_deploys_from_one_repository" {
  command = plan

  variables {
    github = { repository = "acme/vision", repository_id = "4711" }
  }

  assert {
    condition     = toset(keys(output.platform.github.accounts)) == toset(["images-dev", "plan-dev", "dev", "retrain"])
    error_message = "Each of the workflows' environments must have an account."
  }
}
