output "id" {
  description = "Id of the network: projects/PROJECT/global/networks/NAME; once it is peered."
  value       = google_compute_network.this.id
  depends_on  = [google_service_networking_connection.peering]
}

output "name" {
  description = "Name of the network."
  value       = google_compute_network.this.name
}

output "subnet" {
  description = "Id of the subnet and the names of its secondary ranges, null where there are none."
  value = {
    id       = google_compute_subnetwork.this.id
    pods     = contains(keys(local.ranges), "pods") ? "pods" : null
    services = contains(keys(local.ranges), "services") ? "services" : null
  }
}
