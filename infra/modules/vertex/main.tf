resource "google_vertex_ai_tensorboard" "this" {
  project      = var.project
  region       = var.region
  display_name = var.name
  description  = "Training of Roadworthy's pipelines."

  encryption_spec {
    kms_key_name = var.kms_key
  }
}

# The region's one store, which Vertex AI else makes on the first run, without our key and for good.
resource "google_vertex_ai_metadata_store" "this" {
  provider = google-beta

  project     = var.project
  region      = var.region
  name        = "default"
  description = "Artifacts and executions of pipelines."

  encryption_spec {
    kms_key_name = var.kms_key
  }
}

resource "google_vertex_ai_endpoint" "this" {
  #checkov:skip=CKV2_GCP_33:Clients outside the network ask it too; IAM decides who. Models for inside alone are served from the cluster.
  for_each = var.models

  project                    = var.project
  location                   = var.region
  name                       = tostring(parseint(substr(sha256("${var.name}/${each.key}"), 0, 7), 16) + 1) # a number of at most ten digits
  display_name               = each.key
  description                = "Answers for ${each.key}; the pipeline deploys to it."
  dedicated_endpoint_enabled = true

  encryption_spec {
    kms_key_name = var.kms_key
  }

  lifecycle {
    ignore_changes = [traffic_split]
  }
}

# Neither provider has a schedule of Vertex AI's own, so Cloud Scheduler asks the same API for a run, as roadworthy run does.
resource "google_cloud_scheduler_job" "this" {
  for_each = var.schedules

  project          = var.project
  region           = var.region
  name             = "${var.name}-${each.key}"
  description      = "Runs ${each.value.template}."
  schedule         = each.value.cron
  time_zone        = "Etc/UTC"
  paused           = each.value.paused
  attempt_deadline = "60s"

  http_target {
    http_method = "POST"
    uri         = "https://${var.region}-aiplatform.googleapis.com/v1/projects/${var.project}/locations/${var.region}/pipelineJobs"
    headers     = { "Content-Type" = "application/json" }

    body = base64encode(jsonencode({
      displayName    = each.key
      labels         = var.runs.labels
      templateUri    = each.value.template
      serviceAccount = var.runs.service_account
      network        = var.runs.network
      encryptionSpec = { kmsKeyName = var.kms_key }
      runtimeConfig = {
        gcsOutputDirectory = "${var.runs.pipeline_root}/${each.key}"
        failurePolicy      = "PIPELINE_FAILURE_POLICY_FAIL_FAST"
        # A pipeline's parameter that is a number must not come as text.
        parameterValues = { for name, value in each.value.settings : name => try(jsondecode(value), value) }
      }
    }))

    oauth_token {
      service_account_email = var.runs.service_account
    }
  }

  retry_config {
    retry_count = 2
  }
}
