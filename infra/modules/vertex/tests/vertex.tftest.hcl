mock_provider "google-beta" {}

mock_provider "google" {
  mock_data "google_cloud_quotas_quota_info" {
    defaults = {
      dimensions_infos = [
        { applicable_locations = ["us-central1"], details = [{ value = "8" }] },
        { applicable_locations = ["europe-west4"], details = [{ value = "2" }] },
      ]
    }
  }
}

variables {
  project = "acme-vision-dev"
  region  = "europe-west4"
  name    = "roadworthy"
  kms_key = "projects/acme-vision-dev/locations/europe-west4/keyRings/roadworthy/cryptoKeys/vertex"
  models  = ["fashion", "pets"]
  runs = {
    pipeline_root   = "gs://acme-vision-dev-pipeline/runs"
    service_account = "roadworthy-pipeline@acme-vision-dev.iam.gserviceaccount.com"
  }
  schedules = {
    weekly = {
      cron     = "0 3 * * 1"
      template = "https://europe-west4-kfp.pkg.dev/acme-vision-dev/roadworthy-pipelines/fashion/v1"
      settings = { images_per_class = "200", max_size = "30%", full = "true" }
    }
  }
}

run "metadata_are_encrypted_from_the_first_run" {
  command = plan

  assert {
    condition     = google_vertex_ai_metadata_store.this.name == "default" && google_vertex_ai_metadata_store.this.encryption_spec[0].kms_key_name == var.kms_key
    error_message = "Runs write into the store of this name; it must be there before them, with our key."
  }

  assert {
    condition     = google_vertex_ai_tensorboard.this.encryption_spec[0].kms_key_name == var.kms_key
    error_message = "Tensorboard must be encrypted with our key."
  }
}

run "endpoints_are_ours" {
  command = plan

  assert {
    condition     = alltrue([for endpoint in google_vertex_ai_endpoint.this : one(endpoint.encryption_spec).kms_key_name == var.kms_key && endpoint.dedicated_endpoint_enabled])
    error_message = "Every endpoint must be encrypted with our key and have a name of its own."
  }

  assert {
    condition     = alltrue([for endpoint in google_vertex_ai_endpoint.this : can(regex("^[1-9][0-9]{0,9}$", endpoint.name))])
    error_message = "Vertex AI wants a number of at most ten digits without leading zeros."
  }

  assert {
    condition     = length(distinct(values(output.endpoints))) == 2
    error_message = "Every model must have a number of its own."
  }
}

run "a_schedule_asks_for_a_run" {
  command = plan

  assert {
    condition     = jsonencode(jsondecode(base64decode(google_cloud_scheduler_job.this["weekly"].http_target[0].body)).runtimeConfig.parameterValues) == "{\"full\":true,\"images_per_class\":200,\"max_size\":\"30%\"}"
    error_message = "The run must get its parameters, each of its own type."
  }

  assert {
    condition     = google_cloud_scheduler_job.this["weekly"].http_target[0].oauth_token[0].service_account_email == var.runs.service_account
    error_message = "A schedule must ask as the pipeline's account."
  }
}

run "enough_is_granted" {
  command = plan

  variables {
    quotas = { CustomModelTrainingL4GPUsPerProjectPerRegion = 2 }
  }

  assert {
    condition     = local.granted["CustomModelTrainingL4GPUsPerProjectPerRegion"] == 2
    error_message = "The region's own quota counts, and not another's."
  }
}

run "too_little_is_granted" {
  command = plan

  variables {
    quotas = { CustomModelTrainingL4GPUsPerProjectPerRegion = 4 }
  }

  expect_failures = [check.quotas]
}

run "a_quota_is_needed" {
  command = plan

  variables {
    quotas = { CustomModelTrainingL4GPUsPerProjectPerRegion = 0 }
  }

  expect_failures = [var.quotas]
}

run "not_the_default_account" {
  command = plan

  variables {
    runs = { pipeline_root = "gs://acme-vision-dev-pipeline/runs", service_account = "123-compute@developer.gserviceaccount.com" }
  }

  expect_failures = [var.runs]
}

run "artifacts_go_to_a_bucket" {
  command = plan

  variables {
    runs = { pipeline_root = "/runs", service_account = "x@y.iam.gserviceaccount.com" }
  }

  expect_failures = [var.runs]
}

run "a_schedule_has_five_fields" {
  command = plan

  variables {
    schedules = { weekly = { cron = "weekly", template = "https://europe-west4-kfp.pkg.dev/acme-vision-dev/roadworthy-pipelines/fashion/v1" } }
  }

  expect_failures = [var.schedules]
}

run "a_template_is_in_the_registry" {
  command = plan

  variables {
    schedules = { weekly = { cron = "0 3 * * 1", template = "gs://acme-vision-dev-pipeline/fashion.yaml" } }
  }

  expect_failures = [var.schedules]
}

run "a_model_has_a_name" {
  command = plan

  variables {
    models = ["Fashion MNIST"]
  }

  expect_failures = [var.models]
}
