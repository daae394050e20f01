output "connection" {
  description = "PROJECT:REGION:INSTANCE, for the Cloud SQL proxy with --auto-iam-authn."
  value       = google_sql_database_instance.this.connection_name
}

output "email" {
  description = "Address of the account, for the annotation iam.gke.io/gcp-service-account."
  value       = google_service_account.this.email
}

output "member" {
  description = "The account as a member for IAM: it reads and writes the artifacts' bucket."
  value       = google_service_account.this.member
}
