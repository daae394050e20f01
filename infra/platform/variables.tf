variable "project" {
  description = "Id of the project."
  type        = string
}

variable "region" {
  description = "Region of everything."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must be a region, as europe-west4, not a zone or a multi-region."
  }
}

variable "name" {
  description = "What everything is named after."
  type        = string
  default     = "roadworthy"
}

variable "release" {
  description = "Tag of the images that runs use; tags do not move, so there is no latest."
  type        = string

  validation {
    condition     = var.release != "latest" && can(regex("^[\\w][\\w.-]{0,127}$", var.release))
    error_message = "release must be an image's tag, and not latest."
  }
}

variable "labels" {
  description = "Labels of everything that a run makes; the provider's default_labels are for what is made here."
  type        = map(string)
  default     = {}
}

variable "protected" {
  description = "Whether what holds data can't be deleted by Terraform. False only where nothing would be missed."
  type        = bool
  default     = true
}

variable "undelete_days" {
  description = "Days in which nobody can destroy what was deleted from a bucket or replaced there; what is kept so costs as what is not deleted."
  type = object({
    pipeline = optional(number, 7)
    data     = optional(number, 7)
    models   = optional(number, 30)
  })
  default = {}

  validation {
    condition     = alltrue([for days in values(var.undelete_days) : days >= 7 && days <= 90])
    error_message = "undelete_days must be from 7 to 90."
  }
}

variable "cluster" {
  description = "A cluster to serve from, with its node pools and what it runs beside our images (see the module gke); none where Vertex AI serves alone."
  type = object({
    mode                = optional(string, "autopilot")
    authorized_networks = optional(map(string), {})
    images              = optional(list(string), [])
    pools = optional(map(object({
      machine_type = string
      max_nodes    = number
      min_nodes    = optional(number, 0)
      disk_gb      = optional(number, 100)
      spot         = optional(bool, false)
      zones        = optional(set(string))
      gpu          = optional(object({ type = string, count = optional(number, 1) }))
      tpu          = optional(object({ topology = optional(string) }))
    })), {})
  })
  default = null
}

variable "models" {
  description = "Served models by name: on vertex or in the cluster, and what is promised of each (see the module monitoring)."
  type = map(object({
    on           = optional(string, "vertex")
    availability = optional(number, 0.995)
    latency_ms   = optional(number, 200)
    latency      = optional(number, 0.95)
  }))
  default = {}

  validation {
    condition     = alltrue([for model in var.models : contains(["vertex", "cluster"], model.on)])
    error_message = "models.on must be vertex or cluster."
  }

  validation {
    condition     = var.cluster != null || alltrue([for model in var.models : model.on == "vertex"])
    error_message = "models.on must be vertex where there is no cluster."
  }
}

variable "schedules" {
  description = "Pipelines that run by themselves, by name (see the module vertex)."
  type = map(object({
    cron     = string
    template = string
    settings = optional(map(string), {})
    paused   = optional(bool, false)
  }))
  default = {}
}

variable "quotas" {
  description = "Accelerators that a run needs at the same time, by the id of Vertex AI's quota (see the module vertex)."
  type        = map(number)
  default     = {}
}

variable "github" {
  description = "The repository whose workflows build and deploy (see the module identity)."
  type = object({
    repository    = string
    repository_id = string
    environments  = map(set(string))
  })
  default = null
}

variable "emails" {
  description = "Who is told of alerts, by a name of your choice."
  type        = map(string)
}

variable "budget" {
  description = "Money a month (see the module monitoring)."
  type = object({
    billing_account = string
    amount          = number
  })
  default = null
}
