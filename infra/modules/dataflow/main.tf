resource "google_service_account" "workers" {
  project      = var.project
  account_id   = "${var.name}-dataflow"
  display_name = "Dataflow workers"
  description  = "Reads data and writes examples, statistics and predictions."
}

resource "google_project_iam_member" "workers" {
  project = var.project
  role    = "roles/dataflow.worker"
  member  = google_service_account.workers.member
}

resource "google_service_account_iam_member" "submitters" {
  for_each = var.submitters

  service_account_id = google_service_account.workers.name
  role               = "roles/iam.serviceAccountUser"
  member             = each.value
}

# Workers shuffle data among themselves; Dataflow gives each the tag.
resource "google_compute_firewall" "shuffle" {
  project     = var.project
  name        = "${var.name}-dataflow-shuffle"
  network     = var.network.id
  direction   = "INGRESS"
  source_tags = ["dataflow"]
  target_tags = ["dataflow"]

  allow {
    protocol = "tcp"
    ports    = ["12345-12346"]
  }

  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }
}
