mock_provider "google" {}

variables {
  project = "acme-vision-dev"
  prefix  = "roadworthy"
}

run "one_account_a_role" {
  command = plan

  assert {
    condition     = keys(google_service_account.this) == ["ci", "deployer", "pipeline", "serving", "trainer"]
    error_message = "There must be one account a role."
  }

  assert {
    condition     = google_service_account.this["ci"].account_id == "roadworthy-ci"
    error_message = "Accounts must be named by prefix and role."
  }

  assert {
    condition = alltrue([
      for each in google_project_iam_member.roles : !contains(["roles/owner", "roles/editor", "roles/viewer"], each.role)
    ])
    error_message = "No account may have a primitive role."
  }

  assert {
    condition     = toset([for key, each in google_project_iam_member.roles : key if each.role == "roles/storage.admin"]) == toset(["deployer roles/storage.admin"])
    error_message = "Only the deployer administers buckets."
  }

  assert {
    condition     = toset([for key, each in google_project_iam_member.roles : split(" ", key)[0] if each.role == "roles/logging.logWriter"]) == toset(keys(var.accounts))
    error_message = "Everybody must be able to write logs: Cloud Build takes no account that can't."
  }
}

run "the_deployer_makes_nobody_owner" {
  command = plan

  assert {
    condition     = keys(google_project_iam_member.grants) == ["deployer"]
    error_message = "Only the deployer gives roles."
  }

  assert {
    condition     = startswith(one(google_project_iam_member.grants["deployer"].condition).expression, "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly(['roles/aiplatform.user', ")
    error_message = "It must give those roles alone that are named."
  }

  assert {
    condition     = google_project_iam_member.grants["deployer"].role == "roles/resourcemanager.projectIamAdmin"
    error_message = "Only a giver of roles has the condition."
  }
}

run "a_default_account_edits_nothing" {
  command = plan

  assert {
    condition     = google_project_default_service_accounts.this.action == "DEPRIVILEGE" && google_project_default_service_accounts.this.restore_policy == "NONE"
    error_message = "Google's default accounts must lose Editor, and not get it back."
  }
}

run "serving_reaches_no_vertex" {
  command = plan

  assert {
    condition     = !contains(keys(google_project_iam_member.roles), "serving roles/aiplatform.user")
    error_message = "What answers the public must not be able to start jobs."
  }

  assert {
    condition     = toset(keys(google_service_account_iam_member.acts_as)) == toset(["deployer pipeline", "deployer serving", "deployer trainer", "pipeline pipeline", "pipeline serving", "pipeline trainer"])
    error_message = "Only the pipeline and the deployer act as others."
  }

  assert {
    condition     = alltrue([for each in google_service_account_iam_member.acts_as : each.role == "roles/iam.serviceAccountUser"])
    error_message = "Who acts as an account must not be able to change it."
  }
}

run "without_github_nobody_comes_from_outside" {
  command = plan

  assert {
    condition     = length(google_iam_workload_identity_pool.github) == 0 && output.github_provider == null
    error_message = "Without github there must be no pool."
  }
}

run "workloads_need_a_cluster" {
  command = plan

  variables {
    cluster = true
  }

  assert {
    condition     = google_service_account_iam_member.workloads["serving models/model-server"].member == "serviceAccount:acme-vision-dev.svc.id.goog[models/model-server]"
    error_message = "The server's Kubernetes account must be the serving account."
  }

  assert {
    condition     = alltrue([for each in google_service_account_iam_member.workloads : each.role == "roles/iam.workloadIdentityUser"])
    error_message = "A Kubernetes account may be its Google account, and nothing more."
  }
}

run "github_is_one_repository" {
  command = plan

  variables {
    github = { repository = "acme/vision", repository_id = "4711", environments = { deployer = ["prod"] } }
  }

  assert {
    condition     = strcontains(google_iam_workload_identity_pool_provider.github[0].attribute_condition, "assertion.repository == 'acme/vision' && assertion.repository_id == '4711'")
    error_message = "Tokens of other repositories must be refused."
  }

  assert {
    condition     = keys(google_service_account_iam_member.github) == ["deployer prod"]
    error_message = "Only the accounts named may be taken on, and only from their environments."
  }

  assert {
    condition     = google_service_account_iam_member.github["deployer prod"].role == "roles/iam.workloadIdentityUser"
    error_message = "A token of GitHub's may be turned into the account's, and nothing more."
  }

  assert {
    condition     = one(google_iam_workload_identity_pool_provider.github[0].oidc).issuer_uri == "https://token.actions.githubusercontent.com"
    error_message = "Only GitHub issues the tokens."
  }
}

run "no_primitive_role" {
  command = plan

  variables {
    accounts = { ci = { description = "CI.", roles = ["roles/editor"] } }
  }

  expect_failures = [var.accounts]
}

run "no_primitive_role_to_give" {
  command = plan

  variables {
    accounts = { deployer = { description = "Deploys.", grants = ["roles/owner"] } }
  }

  expect_failures = [var.accounts]
}

run "no_right_to_give_every_role" {
  command = plan

  variables {
    accounts = { deployer = { description = "Deploys.", roles = ["roles/resourcemanager.projectIamAdmin"] } }
  }

  expect_failures = [var.accounts]
}

run "no_more_roles_to_give_than_a_condition_takes" {
  command = plan

  variables {
    accounts = { deployer = { description = "Deploys.", grants = [for number in range(11) : "roles/made.up${number}"] } }
  }

  expect_failures = [var.accounts]
}

run "acting_as_somebody_who_is_there" {
  command = plan

  variables {
    accounts = { ci = { description = "CI.", acts_as = ["trainer"] } }
  }

  expect_failures = [var.accounts]
}

run "a_workload_has_a_namespace" {
  command = plan

  variables {
    accounts = { ci = { description = "CI.", workloads = ["server"] } }
  }

  expect_failures = [var.accounts]
}

run "a_repository_has_an_owner" {
  command = plan

  variables {
    github = { repository = "vision", repository_id = "4711", environments = {} }
  }

  expect_failures = [var.github]
}

run "a_repository_has_a_number" {
  command = plan

  variables {
    github = { repository = "acme/vision", repository_id = "R_kg", environments = {} }
  }

  expect_failures = [var.github]
}

run "github_needs_its_accounts" {
  command = plan

  variables {
    accounts = { ci = { description = "CI." } }
    github   = { repository = "acme/vision", repository_id = "4711", environments = { deployer = ["prod"] } }
  }

  expect_failures = [var.github]
}

run "a_prefix_leaves_room" {
  command = plan

  variables {
    prefix = "a-prefix-that-is-too-long"
  }

  expect_failures = [var.prefix]
}
