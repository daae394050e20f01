# Google's own accounts, by which its services use our keys. The provider can't make them: most are there once their API
# is enabled, the others after `gcloud beta services identity create`, see docs/guide/runbook.md.
locals {
  agents = {
    "aiplatform.googleapis.com"       = "gcp-sa-aiplatform"
    "artifactregistry.googleapis.com" = "gcp-sa-artifactregistry"
    "compute.googleapis.com"          = "compute-system"
    "container.googleapis.com"        = "container-engine-robot"
    "dataflow.googleapis.com"         = "dataflow-service-producer-prod"
    "sqladmin.googleapis.com"         = "gcp-sa-cloud-sql"
    "storage.googleapis.com"          = "gs-project-accounts"
  }
}

data "google_project" "this" {
  project_id = var.project
}

resource "google_project_service" "this" {
  for_each = var.services

  project            = var.project
  service            = each.value
  disable_on_destroy = false
}
