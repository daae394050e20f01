variable "project" {
  description = "Id of the project."
  type        = string
}

variable "region" {
  description = "Region of the subnet and of NAT."
  type        = string
}

variable "name" {
  description = "Name of the network; what belongs to it begins with it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,40}[a-z0-9]$", var.name))
    error_message = "name must be 2 to 42 lower-case letters, digits and hyphens."
  }
}

variable "subnet" {
  description = "CIDR ranges: of nodes and workers; where there is a cluster, of pods, services and the proxies of internal Gateways."
  type = object({
    nodes    = optional(string, "10.10.0.0/20")
    pods     = optional(string)
    services = optional(string)
    proxies  = optional(string)
  })
  default = {}

  validation {
    condition     = alltrue([for range in values(var.subnet) : range == null || can(cidrnetmask(range))])
    error_message = "subnet must hold IPv4 ranges, as 10.10.0.0/20."
  }

  validation {
    condition     = (var.subnet.pods == null) == (var.subnet.services == null)
    error_message = "subnet.pods and subnet.services go together."
  }
}

variable "nat" {
  description = "Way out for machines without an address of their own. Without it they reach Google's APIs alone."
  type = object({
    min_ports_per_vm = optional(number, 64)
  })
  default = {}

  validation {
    condition     = var.nat == null || contains([32, 64, 128, 256, 512, 1024, 2048, 4096], try(var.nat.min_ports_per_vm, 0))
    error_message = "nat.min_ports_per_vm must be a power of two from 32 to 4096."
  }
}

variable "peering_range" {
  description = "Range that Google's own networks take addresses from: Vertex AI's training, Cloud SQL. None without it."
  type        = string
  default     = null

  validation {
    condition     = var.peering_range == null || can(cidrnetmask(var.peering_range)) && tonumber(try(split("/", var.peering_range)[1], 32)) <= 21
    error_message = "peering_range must be an IPv4 range of /21 or larger, which Vertex AI needs for its jobs."
  }
}

variable "google_apis_address" {
  description = "Private address at which the network reaches Google's APIs; outside every range of the subnet."
  type        = string
  default     = "10.255.255.254"

  validation {
    condition     = can(cidrnetmask("${var.google_apis_address}/32"))
    error_message = "google_apis_address must be an IPv4 address."
  }
}
