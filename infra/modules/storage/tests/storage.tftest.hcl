mock_provider "google" {}

variables {
  project  = "acme-vision-dev"
  location = "europe-west4"
  prefix   = "acme-vision-dev"
  kms_key  = "projects/acme-vision-dev/locations/europe-west4/keyRings/roadworthy/cryptoKeys/storage"
  buckets = {
    data   = { readers = ["serviceAccount:trainer@acme-vision-dev.iam.gserviceaccount.com"], cold_after_days = 90 }
    models = { writers = ["serviceAccount:pipeline@acme-vision-dev.iam.gserviceaccount.com"], undelete_days = 30 }
    audit  = { retention_days = 365, delete_after_days = 400 }
  }
}

run "no_bucket_is_public" {
  command = plan

  assert {
    condition     = alltrue([for bucket in google_storage_bucket.this : bucket.public_access_prevention == "enforced" && bucket.uniform_bucket_level_access])
    error_message = "Public access must be prevented, and access uniform, on every bucket."
  }

  assert {
    condition     = alltrue([for bucket in google_storage_bucket.this : one(bucket.encryption).default_kms_key_name == var.kms_key])
    error_message = "Every bucket must be encrypted with our key."
  }

  assert {
    condition     = alltrue([for bucket in google_storage_bucket.this : !bucket.force_destroy])
    error_message = "Buckets that hold objects must survive unless force_destroy says otherwise."
  }
}

run "versions_or_retention" {
  command = plan

  assert {
    condition     = one(google_storage_bucket.this["models"].versioning).enabled && !one(google_storage_bucket.this["audit"].versioning).enabled
    error_message = "A bucket is versioned unless it has a retention period."
  }

  assert {
    condition     = one(google_storage_bucket.this["audit"].retention_policy).retention_period == tostring(365 * 24 * 60 * 60)
    error_message = "retention_days must be given in seconds."
  }

  assert {
    condition     = one(google_storage_bucket.this["models"].soft_delete_policy).retention_duration_seconds == 2592000
    error_message = "undelete_days must be given in seconds."
  }

  assert {
    condition     = length(google_storage_bucket.this["data"].lifecycle_rule) == 4 && length(google_storage_bucket.this["models"].lifecycle_rule) == 3
    error_message = "Data grows cold after 90 days; models have no such rule."
  }
}

run "readers_read_and_writers_write" {
  command = plan

  assert {
    condition     = google_storage_bucket_iam_binding.readers["data"].role == "roles/storage.objectViewer" && keys(google_storage_bucket_iam_binding.readers) == ["data"]
    error_message = "Readers of data may read it, and no other bucket has any."
  }

  assert {
    condition     = google_storage_bucket_iam_binding.writers["models"].role == "roles/storage.objectUser"
    error_message = "Writers may write objects, and not change the bucket."
  }

  assert {
    condition     = alltrue([for each in google_storage_bucket_iam_binding.metadata : each.role == "roles/storage.bucketViewer"])
    error_message = "Readers and writers may look at the bucket itself, and not change it."
  }
}

run "the_public_reads_nothing" {
  command = plan

  variables {
    buckets = { data = { readers = ["allUsers"] } }
  }

  expect_failures = [var.buckets]
}

run "undelete_has_bounds" {
  command = plan

  variables {
    buckets = { data = { undelete_days = 3 } }
  }

  expect_failures = [var.buckets]
}

run "nothing_can_be_destroyed_at_once" {
  command = plan

  variables {
    buckets = { data = { undelete_days = 0 } }
  }

  expect_failures = [var.buckets]
}

run "a_policy_is_enough" {
  command = plan

  variables {
    buckets = { data = { undelete_days = 0, retention_days = 30 } }
  }

  assert {
    condition     = one(google_storage_bucket.this["data"].soft_delete_policy).retention_duration_seconds == 0
    error_message = "What may not be deleted before an age need not be restored."
  }
}

run "retention_has_bounds" {
  command = plan

  variables {
    buckets = { data = { retention_days = 0 } }
  }

  expect_failures = [var.buckets]
}

run "a_version_is_kept" {
  command = plan

  variables {
    buckets = { data = { versions_kept = 0 } }
  }

  expect_failures = [var.buckets]
}

run "what_is_retained_is_not_deleted" {
  command = plan

  variables {
    buckets = { data = { retention_days = 365, delete_after_days = 30 } }
  }

  expect_failures = [var.buckets]
}

run "a_prefix_fits_a_bucket" {
  command = plan

  variables {
    prefix = "Acme_Vision"
  }

  expect_failures = [var.prefix]
}
