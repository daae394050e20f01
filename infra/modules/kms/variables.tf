variable "project" {
  description = "Id of the project."
  type        = string
}

variable "location" {
  description = "Region of the key ring: that of everything it encrypts."
  type        = string
}

variable "name" {
  description = "Name of the key ring. A ring is never deleted, so a name is used once in a project."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,63}$", var.name))
    error_message = "name must be 1 to 63 letters, digits, underscores and hyphens."
  }
}

variable "keys" {
  description = "Keys by name: who encrypts with it (IAM members), days between rotations, and SOFTWARE or HSM."
  type = map(object({
    users         = list(string)
    rotation_days = optional(number, 90)
    protection    = optional(string, "SOFTWARE")
  }))

  validation {
    condition     = alltrue([for key in var.keys : key.rotation_days >= 1 && key.rotation_days <= 90])
    error_message = "keys.rotation_days must be from 1 to 90."
  }

  validation {
    condition     = alltrue([for key in var.keys : contains(["SOFTWARE", "HSM"], key.protection)])
    error_message = "keys.protection must be SOFTWARE or HSM."
  }

  validation {
    condition     = alltrue(flatten([for key in var.keys : [for user in key.users : startswith(user, "serviceAccount:")]]))
    error_message = "keys.users must be service accounts, as serviceAccount:EMAIL."
  }
}
