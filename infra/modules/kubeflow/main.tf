locals {
  databases = ["cachedb", "metadb", "mlpipeline"]
  # What runs the user's code has no role for the database, and what shows artifacts can't change them.
  accounts = {
    sql = {
      description = "Cloud SQL's proxy, behind which Kubeflow Pipelines keeps its runs."
      roles       = ["roles/cloudsql.client", "roles/cloudsql.instanceUser", "roles/logging.logWriter", "roles/monitoring.metricWriter"]
      workload    = "mysql"
    }
    run = {
      description = "Runs the pipeline's nodes on Kubeflow: reads and writes artifacts."
      roles       = ["roles/logging.logWriter", "roles/monitoring.metricWriter"]
      workload    = "pipeline-runner"
    }
    ui = {
      description = "Kubeflow Pipelines' pages: reads artifacts."
      roles       = ["roles/logging.logWriter", "roles/monitoring.metricWriter"]
      workload    = "ml-pipeline-ui"
    }
  }
  roles = merge([
    for name, account in local.accounts : { for role in account.roles : "${name} ${role}" => { account = name, role = role } }
  ]...)
}

resource "google_service_account" "this" {
  for_each = local.accounts

  project      = var.project
  account_id   = "${var.name}-kfp-${each.key}"
  display_name = "Kubeflow Pipelines, ${each.key}"
  description  = each.value.description
}

resource "google_project_iam_member" "this" {
  for_each = local.roles

  project = var.project
  role    = each.value.role
  member  = google_service_account.this[each.value.account].member
}

resource "google_service_account_iam_member" "workloads" {
  for_each = local.accounts

  service_account_id = google_service_account.this[each.key].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.project}.svc.id.goog[kubeflow/${each.value.workload}]"
}

resource "google_sql_database_instance" "this" {
  project             = var.project
  region              = var.region
  name                = "${var.name}-kubeflow"
  database_version    = "MYSQL_8_0"
  encryption_key_name = var.kms_key
  deletion_protection = var.deletion_protection

  settings {
    tier                        = var.database.tier
    edition                     = "ENTERPRISE"
    availability_type           = var.database.standby ? "REGIONAL" : "ZONAL"
    disk_autoresize             = true
    deletion_protection_enabled = var.deletion_protection

    backup_configuration {
      enabled                        = true
      binary_log_enabled             = true
      start_time                     = "02:00"
      transaction_log_retention_days = 7

      backup_retention_settings {
        retained_backups = var.database.backup_days
      }
    }

    ip_configuration {
      ipv4_enabled    = false
      private_network = var.network
      ssl_mode        = "TRUSTED_CLIENT_CERTIFICATE_REQUIRED"
    }

    # The account signs in by IAM, so that there is no password to keep.
    database_flags {
      name  = "cloudsql_iam_authentication"
      value = "on"
    }

    database_flags {
      name  = "local_infile"
      value = "off"
    }
  }
}

resource "google_sql_database" "this" {
  for_each = toset(local.databases)

  project  = var.project
  instance = google_sql_database_instance.this.name
  name     = each.value
}

resource "google_sql_user" "this" {
  project        = var.project
  instance       = google_sql_database_instance.this.name
  name           = google_service_account.this["sql"].email
  type           = "CLOUD_IAM_SERVICE_ACCOUNT"
  database_roles = ["cloudsqlsuperuser"]
}
