locals {
  roles = merge([
    for name, account in var.accounts : { for role in account.roles : "${name} ${role}" => { account = name, role = role } }
  ]...)
  acts_as = merge([
    for name, account in var.accounts : { for other in account.acts_as : "${name} ${other}" => { account = name, other = other } }
  ]...)
  workloads = merge([
    for name, account in var.accounts : { for workload in account.workloads : "${name} ${workload}" => { account = name, workload = workload } }
    if var.cluster
  ]...)
}

# Google's own default accounts may edit the whole project, and whoever may act as one with them.
resource "google_project_default_service_accounts" "this" {
  project        = var.project
  action         = "DEPRIVILEGE"
  restore_policy = "NONE"
}

resource "google_service_account" "this" {
  for_each = var.accounts

  project      = var.project
  account_id   = "${var.prefix}-${each.key}"
  display_name = "Roadworthy ${each.key}"
  description  = each.value.description
}

resource "google_project_iam_member" "roles" {
  for_each = local.roles

  project = var.project
  role    = each.value.role
  member  = google_service_account.this[each.value.account].member
}

# Who gives roles gives these alone; without the condition it could make itself the project's owner.
resource "google_project_iam_member" "grants" {
  for_each = { for name, account in var.accounts : name => sort(account.grants) if length(account.grants) > 0 }

  project = var.project
  role    = "roles/resourcemanager.projectIamAdmin"
  member  = google_service_account.this[each.key].member

  condition {
    title      = "The roles of ${var.prefix} alone"
    expression = "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly(['${join("', '", each.value)}'])"
  }
}

resource "google_service_account_iam_member" "acts_as" {
  for_each = local.acts_as

  service_account_id = google_service_account.this[each.value.other].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.this[each.value.account].member
}

resource "google_service_account_iam_member" "workloads" {
  for_each = local.workloads

  service_account_id = google_service_account.this[each.value.account].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.project}.svc.id.goog[${each.value.workload}]"
}
