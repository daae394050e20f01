resource "google_monitoring_notification_channel" "email" {
  for_each = var.emails

  project      = var.project
  display_name = "${var.name}: ${each.key}"
  type         = "email"
  labels       = { email_address = each.value }
}

locals {
  channels = [for channel in google_monitoring_notification_channel.email : channel.id]
  runbook  = "What to do: docs/guide/runbook.md, under the name of this alert."
}

# A model that is refused by the gate is no failure: the pipeline then ends well, and says so in its report.
resource "google_logging_metric" "pipeline_failures" {
  project     = var.project
  name        = "${var.name}/pipeline_failures"
  description = "Nodes of Vertex AI pipelines that failed."
  filter      = "resource.type=\"aiplatform.googleapis.com/PipelineJob\" AND severity>=ERROR"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

resource "google_logging_metric" "refused_versions" {
  project     = var.project
  name        = "${var.name}/refused_versions"
  description = "Versions of a model that our server or TF Serving could not load; the one before goes on answering."
  filter      = "resource.type=\"k8s_container\" AND resource.labels.namespace_name=\"models\" AND severity>=ERROR AND (textPayload:\"can't be loaded\" OR textPayload=~\"Loading servable: .* failed\")"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

locals {
  log_alerts = {
    pipeline_failures = { resource = "aiplatform.googleapis.com/PipelineJob", title = "A pipeline failed" }
    refused_versions  = { resource = "k8s_container", title = "A model's version can't be loaded" }
  }
  log_metrics = {
    pipeline_failures = google_logging_metric.pipeline_failures.name
    refused_versions  = google_logging_metric.refused_versions.name
  }
}

resource "google_monitoring_alert_policy" "logs" {
  for_each = local.log_alerts

  project               = var.project
  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels

  conditions {
    display_name = each.value.title

    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${local.log_metrics[each.key]}\" AND resource.type=\"${each.value.resource}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_DELTA"
      }
    }
  }

  documentation {
    content   = local.runbook
    mime_type = "text/markdown"
  }
}

# A budget answers with the project's number: with its id, no plan would ever come to rest.
data "google_project" "this" {
  count = var.budget == null ? 0 : 1

  project_id = var.project
}

resource "google_billing_budget" "this" {
  count = var.budget == null ? 0 : 1

  billing_account = var.budget.billing_account
  display_name    = var.name

  budget_filter {
    projects = ["projects/${data.google_project.this[0].number}"]
  }

  amount {
    specified_amount {
      units = tostring(var.budget.amount)
    }
  }

  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1]

    content {
      threshold_percent = threshold_rules.value
    }
  }

  threshold_rules {
    threshold_percent = 1
    spend_basis       = "FORECASTED_SPEND"
  }

  all_updates_rule {
    monitoring_notification_channels = local.channels
  }
}
