resource "google_kms_key_ring" "this" {
  project  = var.project
  location = var.location
  name     = var.name
}

# What is encrypted with a key is lost with it, so no plan may destroy one; see docs/guide/runbook.md.
resource "google_kms_crypto_key" "this" {
  #checkov:skip=CKV_GCP_43:The period is computed; keys.rotation_days is at most 90, and a test holds it.
  for_each = var.keys

  key_ring                   = google_kms_key_ring.this.id
  name                       = each.key
  purpose                    = "ENCRYPT_DECRYPT"
  rotation_period            = "${each.value.rotation_days * 24 * 60 * 60}s"
  destroy_scheduled_duration = "${30 * 24 * 60 * 60}s"

  version_template {
    algorithm        = "GOOGLE_SYMMETRIC_ENCRYPTION"
    protection_level = each.value.protection
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_kms_crypto_key_iam_binding" "users" {
  for_each = var.keys

  crypto_key_id = google_kms_crypto_key.this[each.key].id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  members       = each.value.users
}
