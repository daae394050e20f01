variable "project" {
  description = "Id of the project."
  type        = string
}

variable "prefix" {
  description = "What the accounts' names begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}$", var.prefix))
    error_message = "prefix must be 2 to 19 lower-case letters, digits and hyphens: an account's name has 30 at most."
  }
}

variable "accounts" {
  description = <<-TEXT
    Service accounts by role: what each does, its roles in the project, which roles it may give and take there (those
    and no others), whom it may act as, and which Kubernetes accounts (NAMESPACE/NAME) are it by Workload Identity.
    Access to buckets and images is given where those are made.
  TEXT
  type = map(object({
    description = string
    roles       = optional(set(string), [])
    grants      = optional(set(string), [])
    acts_as     = optional(set(string), [])
    workloads   = optional(set(string), [])
  }))
  default = {
    pipeline = {
      description = "Runs the pipeline's nodes, starts training and deploys models."
      roles       = ["roles/aiplatform.user", "roles/dataflow.developer", "roles/logging.logWriter", "roles/monitoring.metricWriter"]
      acts_as     = ["pipeline", "trainer", "serving"]
    }
    trainer = {
      description = "Trains: reads data, writes models."
      roles       = ["roles/aiplatform.user", "roles/logging.logWriter", "roles/monitoring.metricWriter"]
    }
    serving = {
      description = "Serves: reads models, writes logs and metrics."
      roles       = ["roles/logging.logWriter", "roles/monitoring.metricWriter"]
      workloads   = ["models/model-server"]
    }
    ci = {
      description = "Builds images, and plans: reads what is there and changes nothing but images."
      roles = [
        "roles/aiplatform.viewer", "roles/artifactregistry.reader", "roles/binaryauthorization.policyViewer", "roles/cloudkms.viewer", "roles/cloudquotas.viewer",
        "roles/cloudscheduler.viewer", "roles/compute.networkViewer", "roles/compute.viewer", "roles/container.clusterViewer",
        "roles/dns.reader", "roles/iam.securityReviewer", "roles/iam.workloadIdentityPoolViewer", "roles/logging.logWriter", "roles/logging.viewer",
        "roles/monitoring.viewer", "roles/serviceusage.serviceUsageViewer", "roles/storage.bucketViewer",
      ]
    }
    deployer = {
      description = "Applies what was approved."
      roles = [
        "roles/aiplatform.admin", "roles/artifactregistry.admin", "roles/binaryauthorization.policyEditor", "roles/cloudkms.admin", "roles/cloudquotas.viewer",
        "roles/cloudscheduler.admin", "roles/compute.networkAdmin", "roles/compute.securityAdmin", "roles/container.admin",
        "roles/dns.admin", "roles/iam.serviceAccountAdmin", "roles/iam.workloadIdentityPoolAdmin", "roles/logging.configWriter",
        "roles/logging.logWriter", "roles/monitoring.admin", "roles/servicenetworking.networksAdmin", "roles/serviceusage.serviceUsageAdmin",
        "roles/storage.admin",
      ]
      grants = [
        "roles/aiplatform.user", "roles/container.defaultNodeServiceAccount", "roles/dataflow.developer", "roles/dataflow.worker",
        "roles/logging.logWriter", "roles/monitoring.metricWriter",
      ]
      acts_as = ["pipeline", "trainer", "serving"]
    }
  }

  validation {
    condition = alltrue(flatten([
      for account in var.accounts : [
        for role in setunion(account.roles, account.grants) : !contains(["roles/owner", "roles/editor", "roles/viewer"], role)
      ]
    ]))
    error_message = "accounts.roles and accounts.grants must not be roles/owner, roles/editor or roles/viewer: they open the whole project."
  }

  validation {
    condition     = alltrue([for account in var.accounts : !contains(account.roles, "roles/resourcemanager.projectIamAdmin")])
    error_message = "accounts.roles must not be roles/resourcemanager.projectIamAdmin, which could make itself owner: name what it may give as accounts.grants."
  }

  validation {
    condition     = alltrue([for account in var.accounts : length(account.grants) <= 10])
    error_message = "accounts.grants must be at most ten roles, which is what one condition of IAM takes."
  }

  validation {
    condition     = alltrue([for account in var.accounts : length(setsubtract(account.acts_as, keys(var.accounts))) == 0])
    error_message = "accounts.acts_as must name other accounts."
  }

  validation {
    condition = alltrue(flatten([
      for account in var.accounts : [for workload in account.workloads : can(regex("^[a-z0-9-]+/[a-z0-9-]+$", workload))]
    ]))
    error_message = "accounts.workloads must be NAMESPACE/NAME of a Kubernetes service account."
  }
}

variable "cluster" {
  description = "Whether there is a cluster, whose workloads take on accounts."
  type        = bool
  default     = false
}

variable "github" {
  description = <<-TEXT
    The repository whose GitHub Actions take on accounts, and for each account the environments from which: those where
    people approve for what applies and deploys. Its numeric id holds also when its name is given to somebody else:
    gh api repos/OWNER/NAME --jq .id
  TEXT
  type = object({
    repository    = string
    repository_id = string
    environments  = map(set(string))
  })
  default = null

  validation {
    condition     = var.github == null || can(regex("^[\\w.-]+/[\\w.-]+$", var.github.repository))
    error_message = "github.repository must be OWNER/NAME."
  }

  validation {
    condition     = var.github == null || can(regex("^[0-9]+$", var.github.repository_id))
    error_message = "github.repository_id must be the repository's number."
  }

  validation {
    condition     = var.github == null || length(setsubtract(keys(try(var.github.environments, {})), keys(var.accounts))) == 0
    error_message = "github.environments must be of accounts that there are."
  }
}
