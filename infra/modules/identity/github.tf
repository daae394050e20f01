# GitHub Actions sign in with their own token: there is no key that could be lost.

resource "google_iam_workload_identity_pool" "github" {
  count = var.github == null ? 0 : 1

  project                   = var.project
  workload_identity_pool_id = "${var.prefix}-github"
  display_name              = "GitHub Actions"
}

resource "google_iam_workload_identity_pool_provider" "github" {
  #checkov:skip=CKV_GCP_125:It knows assertion.sub alone; the condition here names the repository and its number, and a test holds it.
  count = var.github == null ? 0 : 1

  project                            = var.project
  workload_identity_pool_id          = google_iam_workload_identity_pool.github[0].workload_identity_pool_id
  workload_identity_pool_provider_id = "github"
  display_name                       = var.github.repository
  attribute_condition                = "assertion.repository == '${var.github.repository}' && assertion.repository_id == '${var.github.repository_id}'"

  attribute_mapping = { "google.subject" = "assertion.sub" }

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }
}

locals {
  sign_ins = merge([
    for account, environments in try(var.github.environments, {}) : {
      for environment in environments : "${account} ${environment}" => { account = account, environment = environment }
    }
  ]...)
}

# The subject of a job that runs in an environment names it, and GitHub gives such a job only after that environment's rules.
resource "google_service_account_iam_member" "github" {
  for_each = local.sign_ins

  service_account_id = google_service_account.this[each.value.account].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principal://iam.googleapis.com/${google_iam_workload_identity_pool.github[0].name}/subject/repo:${var.github.repository}:environment:${each.value.environment}"
}
