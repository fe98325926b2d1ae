variable "account_id" {
  description = "The AWS account; Terraform refuses to touch any other."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An AWS account id has 12 digits."
  }
}

variable "name" {
  description = "What everything is called by; two environments in one account need two names."
  type        = string
  default     = "isshoni"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "3 to 20 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "region" {
  description = "Region of this half."
  type        = string
  default     = "eu-central-1"
}

variable "other_region" {
  description = "Region of the other half."
  type        = string
  default     = "eu-west-1"

  validation {
    condition     = var.other_region != var.region
    error_message = "A standby in the same region is lost with it."
  }
}

variable "target_group" {
  description = "Colour that gets every new connection until the engine first moves weights."
  type        = string
  default     = "blue"

  validation {
    condition     = contains(["blue", "green"], var.target_group)
    error_message = "The colours are blue and green."
  }
}

variable "instances_per_colour" {
  description = "Machines of a colour that has a version."
  type        = number
  default     = 3
}

variable "max_instances_per_colour" {
  description = "The most machines of a colour; null: twice the least."
  type        = number
  default     = null
}

variable "scaling" {
  description = "What a machine should have on average: WebSocket connections, and CPU in percent."
  type = object({
    connections_per_instance = optional(number, 5000)
    cpu_pct                  = optional(number, 60)
  })
  default = {}
}

variable "instance_type" {
  description = "Machine type of the backends."
  type        = string
  default     = "c7i.large"
}

variable "sessions" {
  description = "Bounds on stored sessions: days until an unused one expires, and the most of all; 0: none."
  type = object({
    expiry_days = optional(number, 0)
    max_stored  = optional(number, 0)
  })
  default = {}

  validation {
    condition     = var.sessions.expiry_days == 0 || (var.sessions.expiry_days >= 1 && var.sessions.expiry_days <= 3650)
    error_message = "sessions.expiry_days must be 0 (never) or from 1 to 3650."
  }

  validation {
    condition     = var.sessions.max_stored >= 0 && floor(var.sessions.max_stored) == var.sessions.max_stored
    error_message = "sessions.max_stored must be a whole number, 0 for no bound."
  }
}

variable "bootstrap_name" {
  description = "Name of the bootstrap that this environment uses, for environments that share an account; null: `name`."
  type        = string
  default     = null
}

variable "architecture" {
  description = "Processors of the backends' machines: x86_64, or arm64 for Graviton. The images must be built for it."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "The architectures are x86_64 and arm64."
  }

  # The letter g after the generation: t4g, c7g, m7gd; and a1.
  validation {
    condition     = (var.architecture == "arm64") == can(regex("^(a1|[a-z]+[0-9]+g[a-z]*)\\.", var.instance_type))
    error_message = "${var.instance_type} is not a machine with ${var.architecture}: set both instance_type and architecture (arm64: t4g, c7g, m7g …), and build the images for it."
  }
}

variable "global_datastore_id" {
  description = "The Global Datastore that the first region made: `terraform output global_datastore_id` in its folder."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]{5}-[a-z][a-z0-9-]+$", var.global_datastore_id))
    error_message = "The id of a Global Datastore has five characters of AWS before its name, like sgaui-isshoni."
  }
}

variable "redis_wait" {
  description = "What a write does while replicas are missing: required, best-effort or off (docs/redis.md, WAIT)."
  type        = string
  default     = "best-effort"
}

variable "web_acl_arn" {
  description = "Web ACL of AWS WAF for the load balancer, which an administrator makes; null: none."
  type        = string
  default     = null
}

variable "domain_name" {
  description = "Name that users open, like chat.example.com."
  type        = string
}

variable "hosted_zone_id" {
  description = "Route 53 zone that the name is in."
  type        = string
}

variable "origins" {
  description = "More origins that the backends accept pages from."
  type        = list(string)
  default     = []
}

variable "embed_hosts" {
  description = "Hosts whose pages may be embedded in the canvas."
  type        = list(string)
  default     = []
}

variable "alert_emails" {
  description = "Who hears of alarms; each address has to confirm once."
  type        = list(string)
  default     = []
}

variable "deployer_principal_arns" {
  description = "Who may assume the deployer's role; empty: whom this account allows to."
  type        = list(string)
  default     = []
}

variable "runner" {
  description = "Whether to make a machine inside the VPC that deploys."
  type        = bool
  default     = false
}

variable "emulator" {
  description = "True only against an API server without replication groups, Global Datastores, composite alarms and table replicas: makes none of those."
  type        = bool
  default     = false
}
