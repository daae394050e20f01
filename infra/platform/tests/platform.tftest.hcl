mock_provider "google-beta" {}

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

variables {
  project = "roadworthy-dev"
  region  = "europe-west4"
  release = "v0.1.0"
  emails  = { oncall = "oncall@example.com" }
}

run "without_a_cluster" {
  command = plan

  variables {
    models = { fashion = {} }
  }

  assert {
    condition     = length(module.gke) == 0 && output.cluster == null
    error_message = "There must be no cluster unless asked for."
  }

  assert {
    condition     = output.cloud.pipeline_root == "gs://roadworthy-dev-pipeline/runs" && output.cloud.image == "europe-west4-docker.pkg.dev/roadworthy-dev/roadworthy/pipeline:v0.1.0"
    error_message = "The config's section must name the bucket and the image."
  }

  assert {
    condition     = output.cloud.network == "projects/123456789012/global/networks/roadworthy"
    error_message = "Vertex AI names a network by the project's number."
  }

  assert {
    condition     = keys(output.endpoints) == ["fashion"]
    error_message = "A model on Vertex AI must have an endpoint."
  }
}

run "with_a_cluster" {
  command = plan

  variables {
    cluster = {}
    models  = { fashion = { on = "cluster" } }
  }

  assert {
    condition     = output.cluster == "roadworthy" && length(output.endpoints) == 0
    error_message = "A model in the cluster must have no endpoint."
  }
}

run "in_the_cluster_there_is" {
  command = plan

  variables {
    models = { fashion = { on = "cluster" } }
  }

  expect_failures = [var.models]
}

run "somewhere_known" {
  command = plan

  variables {
    cluster = {}
    models  = { fashion = { on = "edge" } }
  }

  expect_failures = [var.models]
}

run "a_region_is_no_zone" {
  command = plan

  variables {
    region = "europe-west4-a"
  }

  expect_failures = [var.region]
}

run "a_release_does_not_move" {
  command = plan

  variables {
    release = "latest"
  }

  expect_failures = [var.release]
}

run "what_is_deleted_stays_a_while" {
  command = plan

  variables {
    undelete_days = { pipeline = 0 }
  }

  expect_failures = [var.undelete_days]
}
