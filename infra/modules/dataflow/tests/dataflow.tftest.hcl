mock_provider "google" {}

variables {
  project    = "acme-vision-dev"
  name       = "roadworthy"
  network    = { id = "projects/acme-vision-dev/global/networks/roadworthy", subnet = "projects/acme-vision-dev/regions/europe-west4/subnetworks/roadworthy" }
  kms_key    = "projects/acme-vision-dev/locations/europe-west4/keyRings/roadworthy/cryptoKeys/dataflow"
  submitters = { pipeline = "serviceAccount:pipeline@acme-vision-dev.iam.gserviceaccount.com" }
}

run "workers_reach_only_each_other" {
  command = plan

  assert {
    condition     = google_compute_firewall.shuffle.source_tags == toset(["dataflow"]) && google_compute_firewall.shuffle.target_tags == toset(["dataflow"])
    error_message = "Only workers may reach workers."
  }

  assert {
    condition     = google_compute_firewall.shuffle.direction == "INGRESS"
    error_message = "Workers must be let in: out they may anyway."
  }

  assert {
    condition     = one(google_compute_firewall.shuffle.allow).ports == tolist(["12345-12346"])
    error_message = "Only the ports of the shuffle may be open."
  }

  assert {
    condition     = google_project_iam_member.workers.role == "roles/dataflow.worker"
    error_message = "Workers must have a worker's role, and the default account none of it."
  }

  assert {
    condition     = google_service_account_iam_member.submitters["pipeline"].role == "roles/iam.serviceAccountUser"
    error_message = "Who starts jobs acts as the workers."
  }
}

run "workers_have_no_public_address" {
  command = plan

  override_resource {
    target          = google_service_account.workers
    override_during = plan
    values          = { email = "roadworthy-dataflow@acme-vision-dev.iam.gserviceaccount.com", member = "serviceAccount:x" }
  }

  assert {
    condition     = contains(output.options, "--no_use_public_ips") && contains(output.options, "--service_account_email=roadworthy-dataflow@acme-vision-dev.iam.gserviceaccount.com")
    error_message = "Workers must run as their own account and without public addresses."
  }
}

run "a_name_leaves_room" {
  command = plan

  variables {
    name = "a-name-that-is-too-long"
  }

  expect_failures = [var.name]
}
