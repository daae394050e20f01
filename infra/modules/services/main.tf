# Google's own accounts, by which its services use our keys. Some are there once their API is enabled, others once they are
# asked for, and a key can't be given to one that is not there.
locals {
  on_request = ["aiplatform.googleapis.com", "artifactregistry.googleapis.com", "dataflow.googleapis.com", "sqladmin.googleapis.com"]
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

resource "google_project_service_identity" "this" {
  provider = google-beta
  for_each = setintersection(var.services, local.on_request)

  project = var.project
  service = google_project_service.this[each.value].service
}

# Cloud Storage makes its account when it is first read.
data "google_storage_project_service_account" "this" {
  count = contains(var.services, "storage.googleapis.com") ? 1 : 0

  project    = var.project
  depends_on = [google_project_service.this]
}
