mock_provider "google-beta" {}

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

variables {
  project  = "acme-vision-dev"
  services = ["aiplatform.googleapis.com", "storage.googleapis.com"]
}

run "services_stay_enabled" {
  command = plan

  assert {
    condition     = length(google_project_service.this) == 2 && alltrue([for each in google_project_service.this : !each.disable_on_destroy])
    error_message = "Tearing a platform down must not disable APIs that others in the project use."
  }

  assert {
    condition     = output.agents["aiplatform.googleapis.com"] == "serviceAccount:service-123456789012@gcp-sa-aiplatform.iam.gserviceaccount.com"
    error_message = "An agent must be named by the project's number."
  }

  assert {
    condition     = keys(output.agents) == ["aiplatform.googleapis.com", "storage.googleapis.com"]
    error_message = "A service that is not enabled has no agent."
  }
}

run "what_google_makes_on_request_is_asked_for" {
  command = plan

  assert {
    condition     = keys(google_project_service_identity.this) == ["aiplatform.googleapis.com"] && length(data.google_storage_project_service_account.this) == 1
    error_message = "Accounts of enabled services that are there on request alone must be asked for, and no others."
  }
}

run "a_number_is_no_id" {
  command = plan

  variables {
    project = "123456789012"
  }

  expect_failures = [var.project]
}

run "a_service_has_its_whole_name" {
  command = plan

  variables {
    services = ["aiplatform"]
  }

  expect_failures = [var.services]
}
