# What is promised of each model, and alerts on how fast the rest, the error budget, is used up.

locals {
  vertex = { for name, model in var.models : name => "resource.type=\"aiplatform.googleapis.com/Endpoint\" resource.labels.endpoint_id=\"${model.endpoint}\"" if model.endpoint != null }
  pods   = { for name, model in var.models : name => "resource.type=\"prometheus_target\" metric.labels.model_name=\"${name}\"" if model.endpoint == null }

  # A client's own faults (4xx, INVALID_ARGUMENT, NOT_FOUND …) use up nothing.
  requests = merge(
    { for name, from in local.vertex : name => "metric.type=\"aiplatform.googleapis.com/prediction/online/response_count\" ${from}" },
    { for name, from in local.pods : name => "metric.type=\"prometheus.googleapis.com/:tensorflow:serving:request_count/counter\" ${from}" },
  )
  failures = merge(
    { for name, from in local.vertex : name => "${local.requests[name]} metric.labels.response_code=monitoring.regex.full_match(\"5.*\")" },
    { for name, from in local.pods : name => "${local.requests[name]} metric.labels.status=monitoring.regex.full_match(\"INTERNAL|UNKNOWN|UNAVAILABLE|DEADLINE_EXCEEDED|RESOURCE_EXHAUSTED|DATA_LOSS\")" },
  )
  latencies = merge(
    { for name, from in local.vertex : name => { filter = "metric.type=\"aiplatform.googleapis.com/prediction/online/prediction_latencies\" metric.labels.latency_type=\"total\" ${from}", unit = 1 } },
    { for name, from in local.pods : name => { filter = "metric.type=\"prometheus.googleapis.com/:tensorflow:serving:request_latency/histogram\" ${from}", unit = 1000 } }, # microseconds
  )

  objectives = merge(
    { for name in keys(var.models) : "${name} availability" => google_monitoring_slo.availability[name].name },
    { for name in keys(var.models) : "${name} latency" => google_monitoring_slo.latency[name].name },
  )

  # Site Reliability Workbook, chapter 5: a long window against false alarms, a short one so that an alert ends soon.
  burns = {
    fast   = { rate = 14.4, long = "3600s", short = "300s", severity = "CRITICAL" }
    steady = { rate = 6, long = "21600s", short = "1800s", severity = "ERROR" }
    slow   = { rate = 3, long = "86400s", short = "7200s", severity = "WARNING" }
  }
  alerts = merge([
    for objective, slo in local.objectives : { for burn, each in local.burns : "${objective} ${burn}" => merge(each, { slo = slo, objective = objective }) }
  ]...)
}

resource "google_monitoring_custom_service" "this" {
  for_each = var.models

  project      = var.project
  service_id   = "${var.name}-${each.key}"
  display_name = each.key
}

resource "google_monitoring_slo" "availability" {
  for_each = var.models

  project             = var.project
  service             = google_monitoring_custom_service.this[each.key].service_id
  slo_id              = "availability"
  display_name        = "${each.key}: ${each.value.availability * 100}% answered"
  goal                = each.value.availability
  rolling_period_days = 28

  request_based_sli {
    good_total_ratio {
      total_service_filter = local.requests[each.key]
      bad_service_filter   = local.failures[each.key]
    }
  }
}

resource "google_monitoring_slo" "latency" {
  for_each = var.models

  project             = var.project
  service             = google_monitoring_custom_service.this[each.key].service_id
  slo_id              = "latency"
  display_name        = "${each.key}: ${each.value.latency * 100}% within ${each.value.latency_ms} ms"
  goal                = each.value.latency
  rolling_period_days = 28

  request_based_sli {
    distribution_cut {
      distribution_filter = local.latencies[each.key].filter

      range {
        max = each.value.latency_ms * local.latencies[each.key].unit
      }
    }
  }
}

resource "google_monitoring_alert_policy" "burn" {
  for_each = local.alerts

  project               = var.project
  display_name          = "${var.name}: ${each.value.objective}, ${split(" ", each.key)[2]} burn"
  combiner              = "AND"
  severity              = each.value.severity
  notification_channels = local.channels

  dynamic "conditions" {
    for_each = { long = each.value.long, short = each.value.short }

    content {
      display_name = "${each.value.rate} times too fast over ${conditions.value}"

      condition_threshold {
        filter          = "select_slo_burn_rate(\"${each.value.slo}\", \"${conditions.value}\")"
        comparison      = "COMPARISON_GT"
        threshold_value = each.value.rate
        duration        = "0s"
      }
    }
  }

  documentation {
    content   = local.runbook
    mime_type = "text/markdown"
  }
}
