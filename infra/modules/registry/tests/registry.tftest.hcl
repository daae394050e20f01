mock_provider "google" {}

variables {
  project  = "acme-vision-dev"
  location = "europe-west4"
  name     = "roadworthy"
  kms_key  = "projects/acme-vision-dev/locations/europe-west4/keyRings/roadworthy/cryptoKeys/registry"
  readers  = ["serviceAccount:pipeline@acme-vision-dev.iam.gserviceaccount.com"]
  writers  = ["serviceAccount:ci@acme-vision-dev.iam.gserviceaccount.com"]
}

run "images_are_scanned_and_do_not_change" {
  command = plan

  assert {
    condition     = one(google_artifact_registry_repository.this["images"].docker_config).immutable_tags
    error_message = "A tag of an image must not move."
  }

  assert {
    condition     = one(google_artifact_registry_repository.this["images"].vulnerability_scanning_config).enablement_config == "INHERITED"
    error_message = "Images must be scanned where the project scans."
  }

  assert {
    condition     = alltrue([for each in google_artifact_registry_repository.this : each.kms_key_name == var.kms_key])
    error_message = "Every repository must be encrypted with our key."
  }

  assert {
    condition     = output.images == "europe-west4-docker.pkg.dev/acme-vision-dev/roadworthy"
    error_message = "The output must be what docker push takes."
  }
}

run "released_images_stay" {
  command = plan

  assert {
    condition = alltrue([
      for each in google_artifact_registry_repository.this :
      anytrue([for policy in each.cleanup_policies : policy.action == "KEEP" && try(one(policy.condition).tag_prefixes == tolist(["v"]), false)])
    ])
    error_message = "What was released under a v… tag must stay."
  }

  assert {
    condition     = alltrue([for each in google_artifact_registry_repository.this : length(each.cleanup_policies) == 4])
    error_message = "Every repository must be cleaned up."
  }

  assert {
    condition = alltrue([
      for each in google_artifact_registry_repository.this :
      { for policy in each.cleanup_policies : policy.id => policy.action } == { delete-old = "DELETE", delete-untagged = "DELETE", keep-newest = "KEEP", keep-released = "KEEP" }
    ])
    error_message = "What is old or has no tag must go, and the newest and released ones stay."
  }

  assert {
    condition     = alltrue([for each in google_artifact_registry_repository_iam_binding.readers : each.role == "roles/artifactregistry.reader"]) && alltrue([for each in google_artifact_registry_repository_iam_binding.writers : each.role == "roles/artifactregistry.writer"])
    error_message = "Readers may pull and writers push, and nothing more."
  }
}

run "the_public_pulls_nothing" {
  command = plan

  variables {
    readers = ["allUsers"]
  }

  expect_failures = [var.readers]
}

run "the_public_pushes_nothing" {
  command = plan

  variables {
    writers = ["allAuthenticatedUsers"]
  }

  expect_failures = [var.writers]
}

run "a_version_to_roll_back_to" {
  command = plan

  variables {
    clean_up = { versions_kept = 1 }
  }

  expect_failures = [var.clean_up]
}

run "a_name_is_lower_case" {
  command = plan

  variables {
    name = "Roadworthy"
  }

  expect_failures = [var.name]
}
