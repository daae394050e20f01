output "member" {
  description = "The workers' account as a member for IAM: it reads and writes buckets, and pulls images."
  value       = google_service_account.workers.member
}

output "options" {
  description = "Options for Beam: cloud.beam.options of a run's config."
  value = [
    "--service_account_email=${google_service_account.workers.email}",
    "--subnetwork=https://www.googleapis.com/compute/v1/${var.network.subnet}",
    "--no_use_public_ips",
    "--dataflow_kms_key=${var.kms_key}",
  ]
}
