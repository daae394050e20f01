# Private Service Connect: Google's APIs at an address of this network, and names that lead there.

resource "google_compute_global_address" "apis" {
  project      = var.project
  name         = "${var.name}-google-apis"
  network      = google_compute_network.this.id
  purpose      = "PRIVATE_SERVICE_CONNECT"
  address_type = "INTERNAL"
  address      = var.google_apis_address
}

resource "google_compute_global_forwarding_rule" "apis" {
  project               = var.project
  name                  = "googleapis" # at most 20 letters and digits, for this target
  network               = google_compute_network.this.id
  ip_address            = google_compute_global_address.apis.id
  target                = "all-apis"
  load_balancing_scheme = ""
}

locals {
  zones = { googleapis = "googleapis.com.", registry = "pkg.dev." }
}

resource "google_dns_managed_zone" "apis" {
  for_each = local.zones

  project     = var.project
  name        = "${var.name}-${each.key}"
  dns_name    = each.value
  description = "Leads to Google's APIs over Private Service Connect."
  visibility  = "private"

  private_visibility_config {
    networks {
      network_url = google_compute_network.this.id
    }
  }
}

resource "google_dns_record_set" "apis" {
  for_each = local.zones

  project      = var.project
  managed_zone = google_dns_managed_zone.apis[each.key].name
  name         = each.value
  type         = "A"
  ttl          = 300
  rrdatas      = [var.google_apis_address]
}

resource "google_dns_record_set" "apis_below" {
  for_each = local.zones

  project      = var.project
  managed_zone = google_dns_managed_zone.apis[each.key].name
  name         = "*.${each.value}"
  type         = "CNAME"
  ttl          = 300
  rrdatas      = [each.value]
}
