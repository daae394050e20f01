output "connection" {
  description = "PROJECT:REGION:INSTANCE, for the Cloud SQL proxy with --auto-iam-authn."
  value       = google_sql_database_instance.this.connection_name
}

output "emails" {
  description = "Addresses of the accounts `sql`, `run` and `ui`, for the annotation iam.gke.io/gcp-service-account."
  value       = { for name, account in google_service_account.this : name => account.email }
}

output "members" {
  description = "The accounts as members for IAM: `run` writes the artifacts' bucket, `ui` reads it."
  value       = { for name, account in google_service_account.this : name => account.member }
}
