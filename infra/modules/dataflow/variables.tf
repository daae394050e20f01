variable "project" {
  description = "Id of the project."
  type        = string
}

variable "name" {
  description = "What the account and the firewall's rule are named after."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.name))
    error_message = "name must be 2 to 20 lower-case letters, digits and hyphens."
  }
}

variable "network" {
  description = "Id of the network, and of the subnet the workers are in."
  type = object({
    id     = string
    subnet = string
  })
}

variable "kms_key" {
  description = "Id of the key that encrypts the workers' disks."
  type        = string
}

variable "submitters" {
  description = "Members who start jobs, by a name of your choice."
  type        = map(string)
  default     = {}
}
