mock_provider "google" {}

variables {
  project = "acme-vision-dev"
  region  = "europe-west4"
  name    = "roadworthy"
  network = "projects/acme-vision-dev/global/networks/roadworthy"
  kms_key = "projects/acme-vision-dev/locations/europe-west4/keyRings/roadworthy/cryptoKeys/sql"
}

run "the_database_is_private" {
  command = plan

  assert {
    condition     = !google_sql_database_instance.this.settings[0].ip_configuration[0].ipv4_enabled && google_sql_database_instance.this.settings[0].ip_configuration[0].private_network == var.network
    error_message = "The database must have no public address."
  }

  assert {
    condition     = google_sql_database_instance.this.deletion_protection && google_sql_database_instance.this.settings[0].deletion_protection_enabled
    error_message = "The database must be protected unless told otherwise."
  }

  assert {
    condition     = google_sql_database_instance.this.encryption_key_name == var.kms_key
    error_message = "The database must be encrypted with our key."
  }

  assert {
    condition     = google_sql_user.this.type == "CLOUD_IAM_SERVICE_ACCOUNT" && google_sql_user.this.password == null
    error_message = "Nobody may sign in with a password."
  }

  assert {
    condition     = length(google_service_account_iam_member.workloads) == 5
    error_message = "Every workload of Kubeflow Pipelines must get its account by Workload Identity."
  }

  assert {
    condition     = toset([for each in google_project_iam_member.this : each.role if strcontains(each.role, "cloudsql")]) == toset(["roles/cloudsql.client", "roles/cloudsql.instanceUser"]) && !contains(keys(google_project_iam_member.this), "runner roles/cloudsql.client")
    error_message = "What runs the user's code must not reach the database."
  }
}

run "backups_are_kept_a_week" {
  command = plan

  variables {
    database = { backup_days = 1 }
  }

  expect_failures = [var.database]
}

run "a_tier_is_cloud_sqls" {
  command = plan

  variables {
    database = { tier = "n2-standard-4" }
  }

  expect_failures = [var.database]
}

run "a_name_leaves_room" {
  command = plan

  variables {
    name = "a-name-that-is-too-long"
  }

  expect_failures = [var.name]
}
