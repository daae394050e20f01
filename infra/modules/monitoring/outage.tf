# A server that is gone counts no failures, so the objectives of models in a cluster stay green in an outage: this one does not.
resource "google_monitoring_alert_policy" "outage" {
  count = length(local.pods) > 0 ? 1 : 0

  project               = var.project
  display_name          = "${var.name}: No server answers"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.channels

  conditions {
    display_name = "No server in the namespace models can be scraped"

    condition_prometheus_query_language {
      query               = "(sum(up{namespace=\"models\"}) or vector(0)) == 0"
      duration            = "120s"
      evaluation_interval = "30s"
    }
  }

  documentation {
    content   = local.runbook
    mime_type = "text/markdown"
  }
}
