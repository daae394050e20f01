variable "project" {
  description = "Id of the project."
  type        = string
}

variable "name" {
  description = "What begins the names of dashboards, objectives and alerts."
  type        = string
}

variable "emails" {
  description = "Who is told, by a name of your choice."
  type        = map(string)

  validation {
    condition     = length(var.emails) > 0 && alltrue([for email in var.emails : strcontains(email, "@")])
    error_message = "emails must name somebody: an alert nobody gets is none."
  }
}

variable "models" {
  description = <<-TEXT
    Served models by name: on a Vertex AI endpoint (its numeric id), or without one on our server or TF Serving in a
    cluster. What is promised over 28 days: the share of requests answered, and the share answered within latency_ms.
  TEXT
  type = map(object({
    endpoint     = optional(string)
    availability = optional(number, 0.995)
    latency_ms   = optional(number, 200)
    latency      = optional(number, 0.95)
  }))
  default = {}

  validation {
    condition = alltrue(flatten([
      for model in var.models : [for goal in [model.availability, model.latency] : goal >= 0.94 && goal <= 0.9999]
    ]))
    error_message = "models.availability and models.latency must be shares from 0.94 to 0.9999: below, not even an outage burns 14.4 times too fast; 1 leaves nothing to burn."
  }

  validation {
    condition     = alltrue([for model in var.models : model.latency_ms > 0])
    error_message = "models.latency_ms must be above 0."
  }
}

variable "budget" {
  description = "Money a month, in units of the billing account's currency; told of at half, nine tenths, all, and when all is forecast."
  type = object({
    billing_account = string
    amount          = number
  })
  default = null

  validation {
    condition     = var.budget == null || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.budget.billing_account))
    error_message = "budget.billing_account must look like 012345-6789AB-CDEF01."
  }

  validation {
    condition     = var.budget == null || try(var.budget.amount > 0 && floor(var.budget.amount) == var.budget.amount, false)
    error_message = "budget.amount must be a whole number above 0."
  }
}
