output "tensorboard" {
  description = "Id of the Tensorboard."
  value       = google_vertex_ai_tensorboard.this.id
}

output "metadata_store" {
  description = "Id of the metadata store of every run in the region."
  value       = google_vertex_ai_metadata_store.this.id
}

output "endpoints" {
  description = "Numbers of the endpoints by model."
  value       = { for model, endpoint in google_vertex_ai_endpoint.this : model => endpoint.name }
}
