mock_provider "google" {}

variables {
  project = "acme-vision-dev"
  region  = "europe-west4"
  name    = "roadworthy"
}

run "is_private" {
  command = plan

  assert {
    condition     = !google_compute_network.this.auto_create_subnetworks && google_compute_subnetwork.this.private_ip_google_access
    error_message = "The network must have the one subnet, which reaches Google's APIs privately."
  }

  assert {
    condition     = google_compute_firewall.refuse.direction == "INGRESS" && one(google_compute_firewall.refuse.deny).protocol == "all"
    error_message = "Nobody may be let in by default."
  }

  assert {
    condition     = google_compute_global_forwarding_rule.apis.target == "all-apis"
    error_message = "Google's APIs must be reached over Private Service Connect."
  }

  assert {
    condition     = google_dns_record_set.apis_below["googleapis"].name == "*.googleapis.com."
    error_message = "Names below googleapis.com must lead to the private address."
  }

  assert {
    condition     = google_compute_global_address.apis.address_type == "INTERNAL" && alltrue([for zone in google_dns_managed_zone.apis : zone.visibility == "private"])
    error_message = "The address and the names that lead there must be the network's own."
  }

  assert {
    condition     = google_compute_router_nat.this[0].log_config[0].enable
    error_message = "What NAT could not let out must be told of."
  }

  assert {
    condition     = length(google_compute_subnetwork.this.secondary_ip_range) == 0
    error_message = "Without a cluster there are no secondary ranges."
  }
}

run "a_cluster_has_ranges" {
  command = plan

  variables {
    subnet = { pods = "10.20.0.0/14", services = "10.24.0.0/20", proxies = "10.129.0.0/23" }
  }

  assert {
    condition     = [for each in google_compute_subnetwork.this.secondary_ip_range : each.range_name] == ["pods", "services"]
    error_message = "Pods and services must have a range each."
  }

  assert {
    condition     = google_compute_subnetwork.proxies[0].purpose == "REGIONAL_MANAGED_PROXY"
    error_message = "Internal Gateways must have a range for their proxies."
  }

  assert {
    condition     = output.subnet.pods == "pods"
    error_message = "The output must name the range of pods."
  }
}

run "no_way_out" {
  command = plan

  variables {
    nat = null
  }

  assert {
    condition     = length(google_compute_router_nat.this) == 0
    error_message = "Without nat nothing may lead out of the network."
  }
}

run "a_name_is_short" {
  command = plan

  variables {
    name = "Roadworthy"
  }

  expect_failures = [var.name]
}

run "a_range_is_a_cidr" {
  command = plan

  variables {
    subnet = { nodes = "10.10.0.0" }
  }

  expect_failures = [var.subnet]
}

run "pods_need_services" {
  command = plan

  variables {
    subnet = { pods = "10.20.0.0/14" }
  }

  expect_failures = [var.subnet]
}

run "ports_are_a_power_of_two" {
  command = plan

  variables {
    nat = { min_ports_per_vm = 100 }
  }

  expect_failures = [var.nat]
}

run "the_apis_have_an_address" {
  command = plan

  variables {
    google_apis_address = "private.googleapis.com"
  }

  expect_failures = [var.google_apis_address]
}

run "is_peered_on_request" {
  command = plan

  variables {
    peering_range = "10.30.0.0/16"
  }

  assert {
    condition     = google_compute_global_address.peering[0].prefix_length == 16 && google_compute_global_address.peering[0].address_type == "INTERNAL" && google_compute_global_address.peering[0].address == "10.30.0.0"
    error_message = "The range must be reserved as it was given."
  }
}

run "a_peering_range_has_room" {
  command = plan

  variables {
    peering_range = "10.30.0.0/24"
  }

  expect_failures = [var.peering_range]
}
