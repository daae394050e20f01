variable "project" {
  description = "Id of the project."
  type        = string
}

variable "location" {
  description = "Region of the repositories."
  type        = string
}

variable "name" {
  description = "Name of the repository of images, and what that of pipelines begins with."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,40}[a-z0-9]$", var.name))
    error_message = "name must be 2 to 42 lower-case letters, digits and hyphens."
  }
}

variable "kms_key" {
  description = "Id of the key that encrypts images and pipelines."
  type        = string
}

variable "readers" {
  description = "Members who pull."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.readers : !startswith(member, "all")])
    error_message = "readers must not be allUsers or allAuthenticatedUsers."
  }
}

variable "writers" {
  description = "Members who push."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.writers : !startswith(member, "all")])
    error_message = "writers must not be allUsers or allAuthenticatedUsers."
  }
}

variable "clean_up" {
  description = "Which versions go: untagged ones after some days, and all but the newest; released ones (tags v…) stay."
  type = object({
    untagged_days = optional(number, 14)
    versions_kept = optional(number, 20)
    dry_run       = optional(bool, false)
  })
  default = {}

  validation {
    condition     = var.clean_up.untagged_days >= 1 && var.clean_up.versions_kept >= 2
    error_message = "clean_up must leave untagged versions a day and keep two versions, to roll back to."
  }
}
