resource "google_container_node_pool" "this" {
  for_each = var.pools

  project        = var.project
  location       = var.region
  cluster        = google_container_cluster.this.name
  name           = each.key
  node_locations = each.value.zones

  # In each zone, to begin with; from then on the autoscaler's.
  initial_node_count = each.value.min_nodes > 0 ? 1 : 0

  autoscaling {
    total_min_node_count = each.value.min_nodes
    total_max_node_count = each.value.max_nodes
    location_policy      = each.value.gpu == null && each.value.tpu == null ? "BALANCED" : "ANY"
  }

  management {
    auto_repair  = true
    auto_upgrade = true
  }

  node_config {
    machine_type      = each.value.machine_type
    disk_size_gb      = each.value.disk_gb
    boot_disk_kms_key = var.kms_key
    spot              = each.value.spot
    image_type        = "COS_CONTAINERD"
    service_account   = google_service_account.nodes.email
    oauth_scopes      = ["https://www.googleapis.com/auth/cloud-platform"]
    metadata          = { disable-legacy-endpoints = "true" }

    shielded_instance_config {
      enable_secure_boot          = true
      enable_integrity_monitoring = true
    }

    workload_metadata_config {
      mode = "GKE_METADATA"
    }

    dynamic "guest_accelerator" {
      for_each = each.value.gpu[*]

      content {
        type  = guest_accelerator.value.type
        count = guest_accelerator.value.count

        gpu_driver_installation_config {
          gpu_driver_version = "LATEST"
        }
      }
    }

    dynamic "taint" {
      for_each = compact([
        each.value.gpu == null ? "" : "nvidia.com/gpu",
        each.value.tpu == null ? "" : "google.com/tpu",
      ])

      content {
        key    = taint.value
        value  = "present"
        effect = "NO_SCHEDULE"
      }
    }
  }

  lifecycle {
    ignore_changes = [initial_node_count]
  }

  dynamic "placement_policy" {
    for_each = each.value.tpu == null ? [] : each.value.tpu.topology[*]

    content {
      type         = "COMPACT"
      tpu_topology = placement_policy.value
    }
  }
}
