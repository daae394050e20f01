output "urls" {
  description = "gs:// addresses by the end of the bucket's name, once their readers and writers may use them."
  value       = { for name, bucket in google_storage_bucket.this : name => "gs://${bucket.name}" }

  depends_on = [
    google_storage_bucket_iam_binding.readers,
    google_storage_bucket_iam_binding.writers,
    google_storage_bucket_iam_binding.metadata,
  ]
}

output "protected" {
  description = "Whether every bucket that holds objects refuses to be deleted."
  value       = alltrue([for bucket in google_storage_bucket.this : !bucket.force_destroy])
}

output "writers" {
  description = "Who may write, by the end of the bucket's name."
  value       = { for name, binding in google_storage_bucket_iam_binding.writers : name => binding.members }
}
