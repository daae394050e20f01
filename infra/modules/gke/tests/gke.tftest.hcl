mock_provider "google" {}

variables {
  project = "acme-vision-dev"
  region  = "europe-west4"
  name    = "roadworthy"
  network = {
    id     = "projects/acme-vision-dev/global/networks/roadworthy"
    subnet = { id = "roadworthy-europe-west4", pods = "pods", services = "services" }
  }
  kms_key   = "projects/acme-vision-dev/locations/europe-west4/keyRings/roadworthy/cryptoKeys/gke"
  operators = { deployer = "serviceAccount:deployer@acme-vision-dev.iam.gserviceaccount.com" }
}

run "autopilot_is_private" {
  command = plan

  assert {
    condition     = google_container_cluster.this.enable_autopilot && length(google_container_node_pool.this) == 0
    error_message = "The default must be an autopilot cluster without pools."
  }

  assert {
    condition     = one(google_container_cluster.this.private_cluster_config).enable_private_nodes && one(google_container_cluster.this.private_cluster_config).enable_private_endpoint
    error_message = "Neither nodes nor the control plane may have a public address."
  }

  assert {
    condition     = google_container_cluster.this.deletion_protection
    error_message = "A cluster must be protected unless told otherwise."
  }

  assert {
    condition     = google_container_cluster.this.datapath_provider == "ADVANCED_DATAPATH" && one(google_container_cluster.this.gateway_api_config).channel == "CHANNEL_STANDARD"
    error_message = "The cluster must have Dataplane V2, for network policies, and Gateway."
  }

  assert {
    condition     = one(google_container_cluster.this.binary_authorization).evaluation_mode == "PROJECT_SINGLETON_POLICY_ENFORCE"
    error_message = "The cluster must heed the policy of what may run."
  }

  assert {
    condition     = one(google_container_cluster.this.database_encryption).state == "ENCRYPTED" && one(google_container_cluster.this.database_encryption).key_name == var.kms_key
    error_message = "Kubernetes' secrets must be encrypted with our key."
  }

  assert {
    condition     = !one(one(google_container_cluster.this.master_auth).client_certificate_config).issue_client_certificate
    error_message = "There must be no client certificate, which nobody could take back."
  }

  assert {
    condition     = one(one(google_container_cluster.this.control_plane_endpoints_config).dns_endpoint_config).allow_external_traffic && length(one(google_container_cluster.this.master_authorized_networks_config).cidr_blocks) == 0
    error_message = "The control plane must be reached by its name, where IAM decides, and from no address."
  }

  assert {
    condition     = one(one(google_container_cluster.this.monitoring_config).managed_prometheus).enabled
    error_message = "Managed Prometheus must read the servers: objectives and the autoscaler live on it."
  }

  assert {
    condition     = one(one(google_container_cluster.this.cluster_autoscaling).auto_provisioning_defaults).boot_disk_kms_key == var.kms_key
    error_message = "The disks of nodes that Google makes must be encrypted with our key."
  }

  assert {
    condition     = google_project_iam_member.nodes.role == "roles/container.defaultNodeServiceAccount" && google_service_account.nodes.account_id == "roadworthy-nodes"
    error_message = "Nodes must have an account of their own, with a node's role."
  }

  assert {
    condition     = google_service_account_iam_member.operators["deployer"].role == "roles/iam.serviceAccountUser"
    error_message = "Who makes the cluster acts as its nodes, and administers nothing of them."
  }
}

run "standard_pools" {
  command = plan

  variables {
    mode = "standard"
    pools = {
      serving = { machine_type = "n2-standard-4", min_nodes = 1, max_nodes = 6 }
      l4      = { machine_type = "g2-standard-8", max_nodes = 4, gpu = { type = "nvidia-l4" } }
      v5e     = { machine_type = "ct5lp-hightpu-4t", max_nodes = 4, tpu = { topology = "4x4" } }
    }
  }

  assert {
    condition     = one(google_container_cluster.this.workload_identity_config).workload_pool == "acme-vision-dev.svc.id.goog"
    error_message = "Pods must get their accounts by Workload Identity."
  }

  assert {
    condition     = google_container_cluster.this.remove_default_node_pool && google_container_cluster.this.enable_autopilot == null
    error_message = "A standard cluster must have its own pools only."
  }

  assert {
    condition     = [for taint in google_container_node_pool.this["l4"].node_config[0].taint : "${taint.key}:${taint.effect}"] == ["nvidia.com/gpu:NO_SCHEDULE"]
    error_message = "A pool with GPUs must be tainted."
  }

  assert {
    condition = alltrue(flatten([
      for node in concat(google_container_cluster.this.node_config, [for pool in google_container_node_pool.this : pool.node_config[0]]) : [
        node.boot_disk_kms_key == var.kms_key, one(node.workload_metadata_config).mode == "GKE_METADATA",
        one(node.shielded_instance_config).enable_secure_boot, one(node.shielded_instance_config).enable_integrity_monitoring,
      ]
    ]))
    error_message = "Every node must be shielded, have a disk under our key and give pods their own account, not the node's."
  }

  assert {
    condition     = alltrue([for pool in google_container_node_pool.this : one(pool.management).auto_repair && one(pool.management).auto_upgrade])
    error_message = "Nodes must be repaired and upgraded."
  }

  assert {
    condition     = [for taint in google_container_node_pool.this["v5e"].node_config[0].taint : "${taint.key}:${taint.effect}"] == ["google.com/tpu:NO_SCHEDULE"]
    error_message = "A pool with TPUs must be tainted."
  }

  assert {
    condition     = alltrue([for name in ["l4", "v5e"] : one(google_container_node_pool.this[name].autoscaling).total_min_node_count == 0 && google_container_node_pool.this[name].initial_node_count == 0])
    error_message = "Accelerators must scale to zero."
  }

  assert {
    condition     = alltrue([for pool in google_container_node_pool.this : pool.node_config[0].boot_disk_kms_key == var.kms_key])
    error_message = "The nodes' disks must be encrypted with our key."
  }

  assert {
    condition     = length(google_container_node_pool.this["serving"].node_config[0].taint) == 0
    error_message = "The pool of the servers must take any pod."
  }

  assert {
    condition     = one(google_container_node_pool.this["v5e"].placement_policy).tpu_topology == "4x4" && length(google_container_node_pool.this["l4"].placement_policy) == 0
    error_message = "A slice of several machines must be placed together."
  }
}

run "autopilot_has_no_pools" {
  command = plan

  variables {
    pools = { serving = { machine_type = "n2-standard-4", min_nodes = 1, max_nodes = 6 } }
  }

  expect_failures = [var.pools]
}

run "a_gpu_pool_scales_to_zero" {
  command = plan

  variables {
    mode = "standard"
    pools = {
      l4 = { machine_type = "g2-standard-8", min_nodes = 1, max_nodes = 4, gpu = { type = "nvidia-l4" } }
    }
  }

  expect_failures = [var.pools]
}

run "one_kind_of_accelerator" {
  command = plan

  variables {
    mode = "standard"
    pools = {
      serving = { machine_type = "n2-standard-4", min_nodes = 1, max_nodes = 6 }
      both    = { machine_type = "g2-standard-8", max_nodes = 4, gpu = { type = "nvidia-l4" }, tpu = {} }
    }
  }

  expect_failures = [var.pools]
}

run "a_pool_has_room" {
  command = plan

  variables {
    mode  = "standard"
    pools = { serving = { machine_type = "n2-standard-4", min_nodes = 3, max_nodes = 2 } }
  }

  expect_failures = [var.pools]
}

run "somewhere_for_the_clusters_own_pods" {
  command = plan

  variables {
    mode  = "standard"
    pools = { l4 = { machine_type = "g2-standard-8", max_nodes = 4, gpu = { type = "nvidia-l4" } } }
  }

  expect_failures = [var.pools]
}

run "two_modes" {
  command = plan

  variables {
    mode = "serverless"
  }

  expect_failures = [var.mode]
}

run "not_the_whole_internet" {
  command = plan

  variables {
    authorized_networks = { everybody = "0.0.0.0/0" }
  }

  expect_failures = [var.authorized_networks]
}

run "pods_need_a_range" {
  command = plan

  variables {
    network = { id = "roadworthy", subnet = { id = "roadworthy", pods = null, services = null } }
  }

  expect_failures = [var.network]
}

run "a_name_leaves_room" {
  command = plan

  variables {
    name = "a-name-that-is-too-long"
  }

  expect_failures = [var.name]
}

run "what_is_not_named_does_not_run" {
  command = plan

  variables {
    images = ["europe-west4-docker.pkg.dev/acme-vision-dev/roadworthy/**"]
  }

  assert {
    condition     = google_binary_authorization_policy.this[0].default_admission_rule[0].evaluation_mode == "ALWAYS_DENY"
    error_message = "Whatever is not named must be refused."
  }

  assert {
    condition     = google_binary_authorization_policy.this[0].default_admission_rule[0].enforcement_mode == "ENFORCED_BLOCK_AND_AUDIT_LOG"
    error_message = "What is refused must not run."
  }

  assert {
    condition     = tolist([for pattern in google_binary_authorization_policy.this[0].admission_whitelist_patterns : pattern.name_pattern]) == tolist(var.images)
    error_message = "What is named must run."
  }
}

run "not_every_image_of_a_registry" {
  command = plan

  variables {
    images = ["docker.io/**"]
  }

  expect_failures = [var.images]
}
