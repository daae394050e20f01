variable "project" {
  description = "Id of the project."
  type        = string
}

variable "region" {
  description = "Region of everything."
  type        = string
  default     = "europe-west4"
}

variable "release" {
  description = "Tag of the images that runs use."
  type        = string
}

variable "emails" {
  description = "Who is told of alerts, by a name of your choice."
  type        = map(string)
}

variable "github" {
  description = "The repository whose workflows build and deploy here, and from which of its environments as whom; none signs in without it."
  type = object({
    repository    = string
    repository_id = string
    environments = optional(map(set(string)), {
      ci       = ["images-prod", "plan-prod"]
      deployer = ["prod"]
      pipeline = ["prod", "retrain"]
    })
  })
  default = null
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

variable "budget" {
  description = "Money a month; its billing account's number is nobody's business but yours, so give it as TF_VAR_budget."
  type = object({
    billing_account = string
    amount          = number
  })
  default = null
}
