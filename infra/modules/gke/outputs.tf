output "name" {
  description = "Name of the cluster."
  value       = google_container_cluster.this.name
}

output "endpoint" {
  description = "DNS name of the control plane: gcloud container clusters get-credentials NAME --dns-endpoint."
  value       = try(google_container_cluster.this.control_plane_endpoints_config[0].dns_endpoint_config[0].endpoint, null)
}

output "node_member" {
  description = "The nodes' account as a member for IAM: it pulls images."
  value       = google_service_account.nodes.member
}

output "protected" {
  description = "Whether Terraform refuses to delete the cluster."
  value       = google_container_cluster.this.deletion_protection
}
