output "tensorboard" {
  description = "Id of the Tensorboard."
  value       = google_vertex_ai_tensorboard.this.id
}

output "endpoints" {
  description = "Numbers of the endpoints by model."
  value       = { for model, endpoint in google_vertex_ai_endpoint.this : model => endpoint.name }
}
