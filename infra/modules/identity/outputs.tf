output "emails" {
  description = "Addresses of the accounts by role, once they have their roles."
  value       = { for name, account in google_service_account.this : name => account.email }
  depends_on  = [google_project_iam_member.roles, google_project_iam_member.grants, google_service_account_iam_member.acts_as]
}

output "members" {
  description = "The accounts as members for IAM, by role."
  value       = { for name, account in google_service_account.this : name => account.member }
}

output "github_provider" {
  description = "What google-github-actions/auth takes as workload_identity_provider; null without github."
  value       = one(google_iam_workload_identity_pool_provider.github[*].name)
}
