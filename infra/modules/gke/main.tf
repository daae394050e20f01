# Nodes do not run as the project's default account, which may edit everything.
resource "google_service_account" "nodes" {
  project      = var.project
  account_id   = "${var.name}-nodes"
  display_name = "Nodes of ${var.name}"
}

resource "google_project_iam_member" "nodes" {
  project = var.project
  role    = "roles/container.defaultNodeServiceAccount"
  member  = google_service_account.nodes.member
}

resource "google_service_account_iam_member" "operators" {
  for_each = var.operators

  service_account_id = google_service_account.nodes.name
  role               = "roles/iam.serviceAccountUser"
  member             = each.value
}

resource "google_container_cluster" "this" {
  #checkov:skip=CKV_GCP_12:Dataplane V2 enforces network policies by itself and takes no such block.
  #checkov:skip=CKV_GCP_61:Flow logs are on in the subnet; between pods of one node Dataplane V2 decides, and Autopilot takes no such argument.
  #checkov:skip=CKV_GCP_21:Labels are the provider's default_labels.
  #checkov:skip=CKV_GCP_65:Who may do what is IAM's; Google Groups in RBAC need a Workspace domain, which not everybody has.
  #checkov:skip=CKV_GCP_68:checkov fails on a dynamic node_config; the first pool is removed at once, and every other has secure boot (pools.tf).
  #checkov:skip=CKV_GCP_69:checkov fails on a dynamic node_config; every pool has the metadata server (pools.tf).
  #checkov:skip=CKV_GCP_72:checkov fails on a dynamic node_config; every pool has integrity monitoring (pools.tf).
  project             = var.project
  location            = var.region
  name                = var.name
  network             = var.network.id
  subnetwork          = var.network.subnet.id
  networking_mode     = "VPC_NATIVE"
  datapath_provider   = "ADVANCED_DATAPATH"
  deletion_protection = var.deletion_protection

  enable_autopilot         = var.mode == "autopilot" ? true : null
  remove_default_node_pool = var.mode == "autopilot" ? null : true
  initial_node_count       = var.mode == "autopilot" ? null : 1

  ip_allocation_policy {
    cluster_secondary_range_name  = var.network.subnet.pods
    services_secondary_range_name = var.network.subnet.services
  }

  private_cluster_config {
    enable_private_nodes    = true
    enable_private_endpoint = true
  }

  control_plane_endpoints_config {
    dns_endpoint_config {
      allow_external_traffic = true
    }
  }

  master_authorized_networks_config {
    dynamic "cidr_blocks" {
      for_each = var.authorized_networks

      content {
        display_name = cidr_blocks.key
        cidr_block   = cidr_blocks.value
      }
    }
  }

  master_auth {
    client_certificate_config {
      issue_client_certificate = false
    }
  }

  # Autopilot has the same pool, and takes no block for it.
  dynamic "workload_identity_config" {
    for_each = var.mode == "autopilot" ? [] : ["${var.project}.svc.id.goog"]

    content {
      workload_pool = workload_identity_config.value
    }
  }

  gateway_api_config {
    channel = "CHANNEL_STANDARD"
  }

  database_encryption {
    state    = "ENCRYPTED"
    key_name = var.kms_key
  }

  binary_authorization {
    evaluation_mode = "PROJECT_SINGLETON_POLICY_ENFORCE"
  }

  security_posture_config {
    mode = "BASIC"
  }

  release_channel {
    channel = "REGULAR"
  }

  maintenance_policy {
    recurring_window {
      start_time = "2026-01-03T02:00:00Z"
      end_time   = "2026-01-03T10:00:00Z"
      recurrence = "FREQ=WEEKLY;BYDAY=SA,SU"
    }
  }

  monitoring_config {
    enable_components = ["SYSTEM_COMPONENTS", "DEPLOYMENT", "HPA", "POD"]

    managed_prometheus {
      enabled = true
    }
  }

  dynamic "cluster_autoscaling" {
    for_each = var.mode == "autopilot" ? [google_service_account.nodes.email] : []

    content {
      auto_provisioning_defaults {
        service_account   = cluster_autoscaling.value
        boot_disk_kms_key = var.kms_key
        oauth_scopes      = ["https://www.googleapis.com/auth/cloud-platform"]
      }
    }
  }

  # The first pool is removed at once; until then it too is no default.
  dynamic "node_config" {
    for_each = var.mode == "autopilot" ? [] : [google_service_account.nodes.email]

    content {
      service_account   = node_config.value
      boot_disk_kms_key = var.kms_key
      oauth_scopes      = ["https://www.googleapis.com/auth/cloud-platform"]

      shielded_instance_config {
        enable_secure_boot          = true
        enable_integrity_monitoring = true
      }

      workload_metadata_config {
        mode = "GKE_METADATA"
      }
    }
  }

  lifecycle {
    ignore_changes = [node_config]
  }
}
