resource "google_storage_bucket" "this" {
  #checkov:skip=CKV_GCP_62:Usage logs need a bucket that would need one too; who read what is in Cloud Audit Logs where a project turns Data Access on.
  for_each = var.buckets

  project                     = var.project
  location                    = var.location
  name                        = "${var.prefix}-${each.key}"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = var.force_destroy

  encryption {
    default_kms_key_name = var.kms_key
  }

  versioning {
    enabled = each.value.retention_days == null
  }

  soft_delete_policy {
    retention_duration_seconds = each.value.undelete_days * 24 * 60 * 60
  }

  dynamic "retention_policy" {
    for_each = each.value.retention_days[*]

    content {
      retention_period = retention_policy.value * 24 * 60 * 60
    }
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      num_newer_versions = each.value.versions_kept
      with_state         = "ARCHIVED"
    }
  }

  # The last version of what was deleted has none that is newer.
  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      days_since_noncurrent_time = each.value.noncurrent_days
      with_state                 = "ARCHIVED"
    }
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }

    condition {
      age = 7
    }
  }

  dynamic "lifecycle_rule" {
    for_each = each.value.cold_after_days[*]

    content {
      action {
        type          = "SetStorageClass"
        storage_class = "NEARLINE"
      }

      condition {
        age = lifecycle_rule.value
      }
    }
  }

  dynamic "lifecycle_rule" {
    for_each = each.value.delete_after_days[*]

    content {
      action {
        type = "Delete"
      }

      condition {
        age = lifecycle_rule.value
      }
    }
  }
}

resource "google_storage_bucket_iam_binding" "readers" {
  for_each = { for name, bucket in var.buckets : name => bucket.readers if length(bucket.readers) > 0 }

  bucket  = google_storage_bucket.this[each.key].name
  role    = "roles/storage.objectViewer"
  members = each.value
}

resource "google_storage_bucket_iam_binding" "writers" {
  for_each = { for name, bucket in var.buckets : name => bucket.writers if length(bucket.writers) > 0 }

  bucket  = google_storage_bucket.this[each.key].name
  role    = "roles/storage.objectUser"
  members = each.value
}

# TensorFlow, TFX and Vertex AI ask for the bucket itself before they write into it.
resource "google_storage_bucket_iam_binding" "metadata" {
  for_each = { for name, bucket in var.buckets : name => distinct(concat(bucket.readers, bucket.writers)) if length(concat(bucket.readers, bucket.writers)) > 0 }

  bucket  = google_storage_bucket.this[each.key].name
  role    = "roles/storage.bucketViewer"
  members = each.value
}
