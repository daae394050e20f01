output "channels" {
  description = "Ids of the notification channels, for alerts of your own."
  value       = local.channels
}

output "alerts" {
  description = "Names of all alerts; the runbook has a section for each kind."
  value = sort(concat(
    [for policy in google_monitoring_alert_policy.burn : policy.display_name],
    [for policy in google_monitoring_alert_policy.logs : policy.display_name],
    google_monitoring_alert_policy.outage[*].display_name,
  ))
}
