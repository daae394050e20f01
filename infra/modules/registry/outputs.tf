output "images" {
  description = "Where images are pushed to: REGION-docker.pkg.dev/PROJECT/REPOSITORY."
  value       = "${var.location}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.this["images"].repository_id}"
}

output "pipelines" {
  description = "Where compiled pipelines are uploaded to."
  value       = "https://${var.location}-kfp.pkg.dev/${var.project}/${google_artifact_registry_repository.this["pipelines"].repository_id}"
}
