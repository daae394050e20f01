variable "project" {
  description = "Id of the project."
  type        = string
}

variable "region" {
  description = "Region of endpoints, Tensorboard and runs."
  type        = string
}

variable "name" {
  description = "What everything is named after."
  type        = string
}

variable "kms_key" {
  description = "Id of the key that encrypts endpoints, Tensorboard, metadata and runs."
  type        = string
}

variable "models" {
  description = "Models that get an endpoint. The pipeline deploys to it and shifts traffic; Terraform leaves that alone."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for model in var.models : can(regex("^[a-z][a-z0-9-]{0,62}$", model))])
    error_message = "models must be lower-case letters, digits and hyphens."
  }
}

variable "runs" {
  description = "How scheduled runs run: where their artifacts go, as whom, in which network (by the project's number), with which labels."
  type = object({
    pipeline_root   = string
    service_account = string
    network         = optional(string)
    labels          = optional(map(string), {})
  })

  validation {
    condition     = startswith(var.runs.pipeline_root, "gs://")
    error_message = "runs.pipeline_root must be a gs:// folder."
  }

  validation {
    condition     = !endswith(var.runs.service_account, "-compute@developer.gserviceaccount.com")
    error_message = "runs.service_account must not be the default account, which may edit the whole project."
  }
}

variable "schedules" {
  description = <<-TEXT
    Pipelines that run by themselves, by name: when (cron, UTC), the compiled pipeline in the registry
    (https://REGION-kfp.pkg.dev/PROJECT/REPOSITORY/PIPELINE/TAG) and its parameters, which are numbers, booleans or lists
    where they read so ("200", "true", "[1, 2]").
  TEXT
  type = map(object({
    cron     = string
    template = string
    settings = optional(map(string), {})
    paused   = optional(bool, false)
  }))
  default = {}

  validation {
    condition     = alltrue([for schedule in var.schedules : length(split(" ", schedule.cron)) == 5])
    error_message = "schedules.cron must have five fields, as 0 3 * * 1."
  }

  validation {
    condition     = alltrue([for schedule in var.schedules : can(regex("^https://[a-z0-9-]+-kfp\\.pkg\\.dev/[^/]+/[^/]+/[^/]+/[^/]+$", schedule.template))])
    error_message = "schedules.template must be https://REGION-kfp.pkg.dev/PROJECT/REPOSITORY/PIPELINE/TAG."
  }
}

variable "quotas" {
  description = <<-TEXT
    Accelerators that runs need at the same time, by the id of Vertex AI's quota, as
    CustomModelTrainingL4GPUsPerProjectPerRegion. A plan warns where the region has fewer.
  TEXT
  type        = map(number)
  default     = {}

  validation {
    condition     = alltrue([for needed in var.quotas : needed > 0])
    error_message = "quotas must be above 0."
  }
}
