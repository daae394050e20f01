output "bucket" {
  description = "The bucket that an environment's backend.tf names."
  value       = trimprefix(module.storage.urls["terraform"], "gs://")
}
