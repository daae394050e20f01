locals {
  ranges = { for name in ["pods", "services"] : name => var.subnet[name] if var.subnet[name] != null }
}

resource "google_compute_network" "this" {
  project                 = var.project
  name                    = var.name
  auto_create_subnetworks = false
  routing_mode            = "REGIONAL"
}

resource "google_compute_subnetwork" "this" {
  project                  = var.project
  region                   = var.region
  name                     = "${var.name}-${var.region}"
  network                  = google_compute_network.this.id
  ip_cidr_range            = var.subnet.nodes
  private_ip_google_access = true

  dynamic "secondary_ip_range" {
    for_each = local.ranges

    content {
      range_name    = secondary_ip_range.key
      ip_cidr_range = secondary_ip_range.value
    }
  }

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
    metadata             = "INCLUDE_ALL_METADATA"
  }
}

resource "google_compute_subnetwork" "proxies" {
  count = var.subnet.proxies == null ? 0 : 1

  project       = var.project
  region        = var.region
  name          = "${var.name}-proxies"
  network       = google_compute_network.this.id
  ip_cidr_range = var.subnet.proxies
  purpose       = "REGIONAL_MANAGED_PROXY"
  role          = "ACTIVE"
}

# Nobody is let in unless a rule of higher priority says so; what was refused is logged.
resource "google_compute_firewall" "refuse" {
  project       = var.project
  name          = "${var.name}-refuse-ingress"
  network       = google_compute_network.this.id
  direction     = "INGRESS"
  priority      = 65534
  source_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }

  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }
}

resource "google_compute_router" "this" {
  count = var.nat == null ? 0 : 1

  project = var.project
  region  = var.region
  name    = "${var.name}-${var.region}"
  network = google_compute_network.this.id
}

resource "google_compute_router_nat" "this" {
  count = var.nat == null ? 0 : 1

  project                            = var.project
  region                             = var.region
  name                               = "${var.name}-${var.region}"
  router                             = google_compute_router.this[0].name
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"
  min_ports_per_vm                   = var.nat.min_ports_per_vm

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}
