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
    condition     = google_sql_database_instance.this.settings[0].ip_configuration[0].ssl_mode == "TRUSTED_CLIENT_CERTIFICATE_REQUIRED"
    error_message = "Only who has a certificate, as Cloud SQL's proxy does, may connect."
  }

  assert {
    condition     = one(google_sql_database_instance.this.settings[0].backup_configuration).enabled && one(google_sql_database_instance.this.settings[0].backup_configuration).binary_log_enabled && google_sql_database_instance.this.settings[0].disk_autoresize
    error_message = "The database must be kept every day and to the minute, and not run full."
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
    condition     = [for each in google_service_account_iam_member.workloads : each.member] == [for workload in ["pipeline-runner", "mysql", "ml-pipeline-ui"] : "serviceAccount:acme-vision-dev.svc.id.goog[kubeflow/${workload}]"]
    error_message = "Every workload of Kubeflow Pipelines must get its account by Workload Identity."
  }

  assert {
    condition     = alltrue([for each in google_service_account_iam_member.workloads : each.role == "roles/iam.workloadIdentityUser"])
    error_message = "A Kubernetes account may be its Google account, and nothing more."
  }

  assert {
    condition     = toset([for key, each in google_project_iam_member.this : key if strcontains(each.role, "cloudsql")]) == toset(["sql roles/cloudsql.client", "sql roles/cloudsql.instanceUser"])
    error_message = "What runs the user's code, or shows it, must have no role for the database."
  }
}

# Google takes 30 characters for an account's name.
run "the_longest_name_leaves_room_for_the_accounts" {
  command = plan

  variables {
    name = "twenty-letters-named"
  }

  assert {
    condition     = alltrue([for account in google_service_account.this : length(account.account_id) <= 30])
    error_message = "An account's name must have 30 characters at most."
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
