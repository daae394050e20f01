# Private services access: the networks in which Google runs our training jobs and databases.

resource "google_compute_global_address" "peering" {
  count = var.peering_range == null ? 0 : 1

  project       = var.project
  name          = "${var.name}-peering"
  network       = google_compute_network.this.id
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  address       = split("/", var.peering_range)[0]
  prefix_length = tonumber(split("/", var.peering_range)[1])
}

resource "google_service_networking_connection" "peering" {
  count = var.peering_range == null ? 0 : 1

  network                 = google_compute_network.this.id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.peering[0].name]
}
