mock_provider "google-beta" {}

mock_provider "google" {}

variables {
  project = "roadworthy-dev"
}

run "makes_what_the_environments_name" {
  command = plan

  assert {
    condition     = output.bucket == "roadworthy-dev-terraform"
    error_message = "envs/dev/backend.tf must name this bucket."
  }
}

run "plans_go_beside_the_state" {
  command = plan

  assert {
    condition     = output.plans == "${output.bucket}-plans"
    error_message = "infra/plans.py looks for plans in the state's bucket's name with -plans."
  }
}

run "state_is_not_public" {
  command = plan

  variables {
    administrators = ["allUsers"]
  }

  expect_failures = [var.administrators]
}

run "planners_are_not_the_public" {
  command = plan

  variables {
    planners = ["allAuthenticatedUsers"]
  }

  expect_failures = [var.planners]
}

run "who_plans_reads_the_state_and_writes_plans_alone" {
  command = plan

  variables {
    administrators = ["group:platform@example.com"]
    planners       = ["serviceAccount:ci@example.com"]
  }

  assert {
    condition     = join(" ", output.state_writers) == "group:platform@example.com"
    error_message = "A planner must not be able to write the state."
  }
}

run "a_number_is_no_id" {
  command = plan

  variables {
    project = "123456789012"
  }

  expect_failures = [var.project]
}
