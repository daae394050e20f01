locals {
  repositories = {
    images    = { id = var.name, format = "DOCKER", description = "Images of the pipeline and of the servers." }
    pipelines = { id = "${var.name}-pipelines", format = "KFP", description = "Compiled pipelines, for schedules." }
  }
}

resource "google_artifact_registry_repository" "this" {
  for_each = local.repositories

  project                = var.project
  location               = var.location
  repository_id          = each.value.id
  format                 = each.value.format
  description            = each.value.description
  kms_key_name           = var.kms_key
  cleanup_policy_dry_run = var.clean_up.dry_run

  # A tag that moves would let an image change under a deployment.
  dynamic "docker_config" {
    for_each = each.value.format == "DOCKER" ? [true] : []

    content {
      immutable_tags = docker_config.value
    }
  }

  dynamic "vulnerability_scanning_config" {
    for_each = each.value.format == "DOCKER" ? ["INHERITED"] : []

    content {
      enablement_config = vulnerability_scanning_config.value
    }
  }

  cleanup_policies {
    id     = "delete-untagged"
    action = "DELETE"

    condition {
      tag_state  = "UNTAGGED"
      older_than = "${var.clean_up.untagged_days * 24 * 60 * 60}s"
    }
  }

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"

    condition {
      tag_state  = "ANY"
      older_than = "${90 * 24 * 60 * 60}s"
    }
  }

  cleanup_policies {
    id     = "keep-newest"
    action = "KEEP"

    most_recent_versions {
      keep_count = var.clean_up.versions_kept
    }
  }

  cleanup_policies {
    id     = "keep-released"
    action = "KEEP"

    condition {
      tag_state    = "TAGGED"
      tag_prefixes = ["v"]
    }
  }
}

resource "google_artifact_registry_repository_iam_binding" "readers" {
  for_each = google_artifact_registry_repository.this

  project    = var.project
  location   = var.location
  repository = each.value.name
  role       = "roles/artifactregistry.reader"
  members    = var.readers
}

resource "google_artifact_registry_repository_iam_binding" "writers" {
  for_each = google_artifact_registry_repository.this

  project    = var.project
  location   = var.location
  repository = each.value.name
  role       = "roles/artifactregistry.writer"
  members    = var.writers
}
