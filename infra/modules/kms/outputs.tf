output "keys" {
  description = "Ids of the keys by name, once their users may use them."
  value       = { for name, key in google_kms_crypto_key.this : name => key.id }
  depends_on  = [google_kms_crypto_key_iam_binding.users]
}
