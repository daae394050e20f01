variable "project" {
  description = "Id of the project."
  type        = string
}

variable "location" {
  description = "Region or multi-region of the buckets."
  type        = string
}

variable "prefix" {
  description = "What the names of the buckets begin with; names are unique among all of Google's customers."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,40}[a-z0-9]$", var.prefix))
    error_message = "prefix must be 3 to 42 lower-case letters, digits and hyphens."
  }
}

variable "kms_key" {
  description = "Id of the key that encrypts every object."
  type        = string
}

variable "buckets" {
  description = <<-TEXT
    Buckets by the end of their name. Objects are versioned: a version that was replaced or deleted stays for
    noncurrent_days, while it is among versions_kept, and after that nobody can destroy it for undelete_days. Or
    retention_days says that none may be replaced or deleted before that age: Cloud Storage has versions or such a policy.
  TEXT
  type = map(object({
    readers           = optional(list(string), [])
    writers           = optional(list(string), [])
    versions_kept     = optional(number, 3)
    noncurrent_days   = optional(number, 90)
    undelete_days     = optional(number, 7)
    retention_days    = optional(number)
    cold_after_days   = optional(number)
    delete_after_days = optional(number)
  }))

  validation {
    condition = alltrue(flatten([
      for bucket in var.buckets : [for member in concat(bucket.readers, bucket.writers) : !startswith(member, "all")]
    ]))
    error_message = "buckets must have no allUsers or allAuthenticatedUsers among readers and writers."
  }

  validation {
    condition = alltrue([
      for bucket in var.buckets : bucket.undelete_days >= 7 && bucket.undelete_days <= 90 || bucket.undelete_days == 0 && bucket.retention_days != null
    ])
    error_message = "buckets.undelete_days must be from 7 to 90, or 0 where there are retention_days."
  }

  validation {
    condition     = alltrue([for bucket in var.buckets : bucket.retention_days == null || coalesce(bucket.retention_days, 0) >= 1 && coalesce(bucket.retention_days, 0) <= 36500])
    error_message = "buckets.retention_days must be from 1 to 36500."
  }

  validation {
    condition     = alltrue([for bucket in var.buckets : bucket.versions_kept >= 1 && bucket.noncurrent_days >= 1])
    error_message = "buckets.versions_kept and noncurrent_days must be 1 or more."
  }

  validation {
    condition = alltrue([
      for bucket in var.buckets : coalesce(bucket.delete_after_days, 36500) > coalesce(bucket.cold_after_days, bucket.retention_days, 0)
    ])
    error_message = "buckets.delete_after_days must come after cold_after_days and retention_days."
  }
}

variable "force_destroy" {
  description = "Whether tearing down deletes buckets that hold objects."
  type        = bool
  default     = false
}
