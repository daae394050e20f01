variable "project" {
  description = "Id of the project."
  type        = string
}

variable "region" {
  description = "Region of the database."
  type        = string
}

variable "name" {
  description = "What the database and the accounts are named after."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.name))
    error_message = "name must be 2 to 20 lower-case letters, digits and hyphens."
  }
}

variable "network" {
  description = "Id of the network, which is peered with Google's (peering_range of the module network)."
  type        = string
}

variable "kms_key" {
  description = "Id of the key that encrypts the database."
  type        = string
}

variable "database" {
  description = "Machine of the database, whether a second one stands by in another zone, and days that backups are kept."
  type = object({
    tier        = optional(string, "db-custom-1-3840")
    standby     = optional(bool, false)
    backup_days = optional(number, 14)
  })
  default = {}

  validation {
    condition     = can(regex("^db-", var.database.tier))
    error_message = "database.tier must be a machine of Cloud SQL, as db-custom-1-3840."
  }

  validation {
    condition     = var.database.backup_days >= 7 && var.database.backup_days <= 365
    error_message = "database.backup_days must be from 7 to 365."
  }
}

variable "deletion_protection" {
  description = "Whether neither Terraform nor Google deletes the database."
  type        = bool
  default     = true
}
