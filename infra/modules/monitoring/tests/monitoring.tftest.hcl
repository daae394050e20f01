mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

variables {
  project = "acme-vision-dev"
  name    = "roadworthy"
  emails  = { oncall = "oncall@example.com" }
  models = {
    fashion = { endpoint = "4711", latency_ms = 100 }
    pets    = {}
  }
  budget = { billing_account = "012345-6789AB-CDEF01", amount = 500 }
}

run "every_model_has_two_objectives" {
  command = plan

  assert {
    condition     = google_monitoring_slo.availability["fashion"].goal == 0.995 && google_monitoring_slo.latency["fashion"].goal == 0.95
    error_message = "A model must have objectives for answers and for latency."
  }

  assert {
    condition     = google_monitoring_slo.latency["fashion"].request_based_sli[0].distribution_cut[0].range[0].max == 100
    error_message = "Vertex AI counts milliseconds."
  }

  assert {
    condition     = google_monitoring_slo.latency["pets"].request_based_sli[0].distribution_cut[0].range[0].max == 200000
    error_message = "A server in a cluster counts microseconds, as TF Serving does."
  }

  assert {
    condition     = strcontains(google_monitoring_slo.availability["fashion"].request_based_sli[0].good_total_ratio[0].total_service_filter, "endpoint_id=\"4711\"")
    error_message = "A model on an endpoint must be counted by its endpoint."
  }

  assert {
    condition     = strcontains(google_monitoring_slo.availability["pets"].request_based_sli[0].good_total_ratio[0].bad_service_filter, "model_name=\"pets\"")
    error_message = "A model in a cluster must be counted by its name."
  }
}

run "every_objective_has_three_alerts" {
  command = plan

  assert {
    condition     = length(google_monitoring_alert_policy.burn) == 12
    error_message = "Two models with two objectives each must have three alerts an objective."
  }

  assert {
    condition     = google_monitoring_alert_policy.burn["pets latency fast"].severity == "CRITICAL" && google_monitoring_alert_policy.burn["pets latency fast"].combiner == "AND"
    error_message = "A fast burn is critical, and shows in a long and in a short window."
  }

  assert {
    condition     = alltrue([for policy in google_monitoring_alert_policy.burn : length(policy.conditions) == 2])
    error_message = "Every alert must have two windows."
  }

  assert {
    condition = alltrue(flatten([
      for policies in [google_monitoring_alert_policy.burn, google_monitoring_alert_policy.logs, google_monitoring_alert_policy.outage] :
      [for policy in policies : length(policy.notification_channels) == length(var.emails)]
    ])) && length(one(google_billing_budget.this[0].all_updates_rule).monitoring_notification_channels) == length(var.emails)
    error_message = "Everybody must be told of every alert, and of the budget."
  }

  assert {
    condition = alltrue(flatten([
      for key, policy in google_monitoring_alert_policy.burn : [
        for condition in policy.conditions :
        condition.condition_threshold[0].comparison == "COMPARISON_GT" && condition.condition_threshold[0].duration == "0s" && condition.condition_threshold[0].threshold_value == { fast = 14.4, steady = 6, slow = 3 }[split(" ", key)[2]]
      ]
    ]))
    error_message = "An alert must come once the rest is used up so many times too fast."
  }

  assert {
    condition = alltrue([
      for policy in google_monitoring_alert_policy.logs :
      policy.conditions[0].condition_threshold[0].comparison == "COMPARISON_GT" && policy.conditions[0].condition_threshold[0].threshold_value == 0 && policy.conditions[0].condition_threshold[0].duration == "0s"
    ])
    error_message = "The first failure must be told of."
  }

  assert {
    condition     = length(google_monitoring_alert_policy.logs) == 2
    error_message = "Failed pipelines and refused versions must be told of."
  }

  assert {
    condition     = length(jsondecode(google_monitoring_dashboard.models[0].dashboard_json).mosaicLayout.tiles) == 6
    error_message = "The dashboard must have three charts a model."
  }

  assert {
    condition     = length(google_billing_budget.this[0].threshold_rules) == 4
    error_message = "The budget must be told of four times."
  }

  assert {
    condition     = one(google_billing_budget.this[0].budget_filter).projects == toset(["projects/123456789012"])
    error_message = "The budget must name the project by its number."
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.outage[0].conditions[0].condition_prometheus_query_language[0].query, "or vector(0)")
    error_message = "An outage must be told of also where nothing is counted any more."
  }
}

run "an_endpoint_counts_its_own_outage" {
  command = plan

  variables {
    models = { fashion = { endpoint = "4711" } }
  }

  assert {
    condition     = length(google_monitoring_alert_policy.outage) == 0
    error_message = "Without servers in a cluster there must be no alert of them."
  }
}

run "without_models" {
  command = plan

  variables {
    models = {}
    budget = null
  }

  assert {
    condition     = length(google_monitoring_dashboard.models) == 0 && length(google_billing_budget.this) == 0
    error_message = "What there is nothing to say of must not be made."
  }
}

run "somebody_is_told" {
  command = plan

  variables {
    emails = {}
  }

  expect_failures = [var.emails]
}

run "nothing_is_always_right" {
  command = plan

  variables {
    models = { pets = { availability = 1 } }
  }

  expect_failures = [var.models]
}

run "an_outage_must_be_able_to_burn" {
  command = plan

  variables {
    models = { pets = { latency = 0.9 } }
  }

  expect_failures = [var.models]
}

run "an_answer_takes_time" {
  command = plan

  variables {
    models = { pets = { latency_ms = 0 } }
  }

  expect_failures = [var.models]
}

run "a_billing_account_has_a_form" {
  command = plan

  variables {
    budget = { billing_account = "acme", amount = 500 }
  }

  expect_failures = [var.budget]
}

run "a_budget_is_whole" {
  command = plan

  variables {
    budget = { billing_account = "012345-6789AB-CDEF01", amount = 0.5 }
  }

  expect_failures = [var.budget]
}
