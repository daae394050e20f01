output "bucket" {
  description = "The bucket that an environment's backend.tf names."
  value       = trimprefix(module.storage.urls["terraform"], "gs://")
}

output "plans" {
  description = "The bucket of plans that wait for approval."
  value       = trimprefix(module.storage.urls["terraform-plans"], "gs://")
}

output "state_writers" {
  description = "Who may write the state, besides the project's owners."
  value       = lookup(module.storage.writers, "terraform", [])
}
