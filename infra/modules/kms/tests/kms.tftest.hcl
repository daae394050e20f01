mock_provider "google" {}

variables {
  project  = "acme-vision-dev"
  location = "europe-west4"
  name     = "roadworthy"
  keys = {
    storage = { users = ["serviceAccount:service-1@gs-project-accounts.iam.gserviceaccount.com"] }
  }
}

run "keys_rotate" {
  command = plan

  assert {
    condition     = google_kms_crypto_key.this["storage"].rotation_period == "7776000s"
    error_message = "A key must rotate every 90 days unless told otherwise."
  }

  assert {
    condition     = google_kms_crypto_key_iam_binding.users["storage"].role == "roles/cloudkms.cryptoKeyEncrypterDecrypter"
    error_message = "Users may encrypt and decrypt, and nothing more."
  }
}

run "a_key_rotates_within_90_days" {
  command = plan

  variables {
    keys = { storage = { users = [], rotation_days = 365 } }
  }

  expect_failures = [var.keys]
}

run "a_key_is_soft_or_in_hardware" {
  command = plan

  variables {
    keys = { storage = { users = [], protection = "EXTERNAL" } }
  }

  expect_failures = [var.keys]
}

run "people_hold_no_keys" {
  command = plan

  variables {
    keys = { storage = { users = ["user:someone@example.com"] } }
  }

  expect_failures = [var.keys]
}

run "a_ring_has_a_name" {
  command = plan

  variables {
    name = "road worthy"
  }

  expect_failures = [var.name]
}
