variable "project" {
  description = "Id of the project."
  type        = string
}

variable "region" {
  description = "Region of the cluster, whose control plane is in three zones."
  type        = string
}

variable "name" {
  description = "Name of the cluster."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,18}[a-z0-9]$", var.name))
    error_message = "name must be 2 to 20 lower-case letters, digits and hyphens: the nodes' account is named after it."
  }
}

variable "network" {
  description = "Id of the network, and the subnet with ranges for pods and services."
  type = object({
    id     = string
    subnet = object({ id = string, pods = string, services = string })
  })

  validation {
    condition     = var.network.subnet.pods != null && var.network.subnet.services != null
    error_message = "network.subnet must have ranges for pods and services."
  }
}

variable "kms_key" {
  description = "Id of the key that encrypts Kubernetes' secrets and the nodes' disks: GKE's and Compute Engine's agents use it."
  type        = string
}

variable "mode" {
  description = "autopilot: Google runs the nodes, a pod is what is paid for. standard: the node pools below."
  type        = string
  default     = "autopilot"

  validation {
    condition     = contains(["autopilot", "standard"], var.mode)
    error_message = "mode must be autopilot or standard."
  }
}

variable "pools" {
  description = <<-TEXT
    Node pools of a standard cluster by name. One with a GPU or a TPU is tainted and starts from no node, so that it
    costs nothing until a pod asks for it. `tpu.topology` is for slices of several machines.
  TEXT
  type = map(object({
    machine_type = string
    max_nodes    = number
    min_nodes    = optional(number, 0)
    disk_gb      = optional(number, 100)
    spot         = optional(bool, false)
    zones        = optional(set(string))
    gpu          = optional(object({ type = string, count = optional(number, 1) }))
    tpu          = optional(object({ topology = optional(string) }))
  }))
  default = {}

  validation {
    condition     = (var.mode == "standard") == (length(var.pools) > 0)
    error_message = "pools are what a standard cluster has and an autopilot cluster has not."
  }

  validation {
    condition     = alltrue([for pool in var.pools : pool.gpu == null || pool.tpu == null])
    error_message = "pools must have a gpu or a tpu, not both."
  }

  validation {
    condition     = alltrue([for pool in var.pools : pool.min_nodes == 0 || (pool.gpu == null && pool.tpu == null)])
    error_message = "pools with a gpu or a tpu must scale to zero: min_nodes = 0."
  }

  validation {
    condition     = alltrue([for pool in var.pools : pool.min_nodes >= 0 && pool.min_nodes <= pool.max_nodes && pool.max_nodes > 0])
    error_message = "pools must have 0 <= min_nodes <= max_nodes."
  }

  validation {
    condition     = var.mode == "autopilot" || anytrue([for pool in var.pools : pool.min_nodes > 0])
    error_message = "pools must have one with min_nodes > 0, for the cluster's own pods."
  }
}

variable "authorized_networks" {
  description = "Private ranges whose machines reach the control plane by address; everybody else by its DNS name, where IAM decides."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for range in var.authorized_networks : can(cidrnetmask(range)) && range != "0.0.0.0/0"])
    error_message = "authorized_networks must be IPv4 ranges, and not 0.0.0.0/0."
  }
}

variable "images" {
  description = <<-TEXT
    Images that may run beside those of Google's that a cluster needs, as REGION-docker.pkg.dev/PROJECT/REPOSITORY/**; null is
    whatever the project's policy says, which Google makes to let everything in. The policy is the whole project's.
  TEXT
  type        = list(string)
  default     = null

  validation {
    condition     = var.images == null || alltrue([for pattern in coalesce(var.images, []) : can(regex("^[a-z0-9.-]+\\.[a-z]+/[^*]+(/\\*{1,2})?$", pattern))])
    error_message = "images must be a registry and a path in it, with /* or /** at its end alone."
  }
}

variable "operators" {
  description = "Members who make and change the cluster, by a name of your choice: they must be able to act as its nodes."
  type        = map(string)
  default     = {}
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete the cluster."
  type        = bool
  default     = true
}
