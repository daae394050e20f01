mock_provider "google-beta" {}

mock_provider "google" {}

variables {
  project = "roadworthy-dev"
}

run "makes_what_the_environments_name" {
  command = plan

  assert {
    condition     = output.bucket == "roadworthy-dev-terraform"
    error_message = "envs/dev/backend.tf must name this bucket."
  }
}

run "state_is_not_public" {
  command = plan

  variables {
    administrators = ["allUsers"]
  }

  expect_failures = [var.administrators]
}

run "a_number_is_no_id" {
  command = plan

  variables {
    project = "123456789012"
  }

  expect_failures = [var.project]
}
