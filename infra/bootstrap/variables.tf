variable "project" {
  description = "Id of an existing project with billing."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project must be a project's id: 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "region" {
  description = "Region of the buckets."
  type        = string
  default     = "europe-west4"
}

variable "administrators" {
  description = "Members who may read and write state and plans, besides the project's owners: group:…, serviceAccount:…."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.administrators : can(regex("^(user|group|serviceAccount|principal|principalSet):", member))])
    error_message = "administrators must be members for IAM, as group:platform@example.com, and not the public."
  }
}

variable "planners" {
  description = "Members who may read state and keep plans, and change nothing else: what plans pull requests."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.planners : can(regex("^(user|group|serviceAccount|principal|principalSet):", member))])
    error_message = "planners must be members for IAM, as serviceAccount:roadworthy-ci@PROJECT.iam.gserviceaccount.com, and not the public."
  }
}
