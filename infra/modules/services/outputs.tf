output "project" {
  description = "Id of the project, once every service is enabled."
  value       = var.project
  depends_on  = [google_project_service.this]
}

output "number" {
  description = "Number of the project."
  value       = data.google_project.this.number
}

output "agents" {
  description = "Google's own accounts by service, as members for IAM, once they are there: of those services that are enabled."
  value = {
    for service, domain in local.agents :
    service => "serviceAccount:service-${data.google_project.this.number}@${domain}.iam.gserviceaccount.com"
    if contains(var.services, service)
  }
  depends_on = [google_project_service.this, google_project_service_identity.this, data.google_storage_project_service_account.this]
}
