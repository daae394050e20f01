data "google_cloud_quotas_quota_info" "this" {
  for_each = var.quotas

  parent   = "projects/${var.project}"
  service  = "aiplatform.googleapis.com"
  quota_id = each.key
}

locals {
  # The region's own limit where there is one, else the widest that applies to it.
  granted = {
    for id, quota in data.google_cloud_quotas_quota_info.this : id => max(0, [
      for info in quota.dimensions_infos : tonumber(info.details[0].value) if contains(info.applicable_locations, var.region)
    ]...)
  }
}

check "quotas" {
  assert {
    condition = alltrue([for id, needed in var.quotas : local.granted[id] >= needed])
    error_message = "Vertex AI grants less in ${var.region} than runs need: ${join(", ", [
      for id, needed in var.quotas : "${id} ${local.granted[id]} of ${needed}" if local.granted[id] < needed
    ])}. Ask for more at console.cloud.google.com/iam-admin/quotas."
  }
}
