# What each resource must be is held by the modules' own tests, and by tests/infra/test_environments.py.
mock_provider "google-beta" {}

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

run "staging_serves_from_its_cluster" {
  command = plan

  assert {
    condition     = output.platform.cluster == "roadworthy" && length(output.platform.endpoints) == 0
    error_message = "Staging serves from a cluster, as production does."
  }

  assert {
    condition     = output.platform.protected
    error_message = "This environment must not be deleted by mistake."
  }

  assert {
    condition     = output.cloud.project == "roadworthy-staging" && output.cloud.labels.env == "staging"
    error_message = "A run's config must name this environment's project."
  }

  assert {
    condition     = output.cloud.pipeline_root == "gs://roadworthy-staging-pipeline/runs" && output.cloud.model_root == "gs://roadworthy-staging-models/served"
    error_message = "A run's config must name this environment's buckets."
  }
}

run "github_deploys_from_one_repository" {
  command = plan

  variables {
    github = { repository = "acme/vision", repository_id = "4711" }
  }

  assert {
    condition     = toset(keys(output.platform.github.accounts)) == toset(["images-staging", "plan-staging", "staging", "retrain"])
    error_message = "Each of the workflows' environments must have an account."
  }
}
