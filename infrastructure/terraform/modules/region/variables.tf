variable "name" {
  description = "What everything made here is called by."
  type        = string
}

variable "account_id" {
  description = "The AWS account."
  type        = string
}

variable "region" {
  description = "Region of the provider."
  type        = string
}

variable "bootstrap_name" {
  description = "Name of the bootstrap, whose bucket has the states; null: that of the environment."
  type        = string
  default     = null
}

variable "zones" {
  description = "Letters of the availability zones to spread over."
  type        = list(string)
}

variable "cidr" {
  description = "Addresses of the VPC, a /16."
  type        = string
}

variable "nat_gateway_per_zone" {
  description = "Whether losing a zone must cost no other zone its way out."
  type        = bool
}

variable "domain_name" {
  description = "Name that users open."
  type        = string
}

variable "hosted_zone_id" {
  description = "Route 53 zone that the name is in."
  type        = string
}

variable "alternatives" {
  description = "Origins of the other region, which clients try when this one is gone; empty: there is no other."
  type        = list(string)
  default     = []
}

variable "origins" {
  description = "More origins that the backends accept pages from; an empty list: only the name that users open."
  type        = list(string)
  default     = []
}

variable "embed_hosts" {
  description = "Hosts whose pages may be embedded in the canvas; empty: none."
  type        = list(string)
  default     = []
}

variable "image_repository" {
  description = "Repository in ECR, in this account and region, that images come from."
  type        = string
}

variable "target_group" {
  description = "Colour that gets every new connection until the engine first moves weights."
  type        = string
}

variable "instances_per_colour" {
  description = "The least machines of a colour that has a version."
  type        = number
}

variable "max_instances_per_colour" {
  description = "The most machines of a colour; null: twice the least."
  type        = number
  default     = null
}

variable "scaling" {
  description = "What a machine of a colour should have on average: WebSocket connections, and CPU in percent."
  type = object({
    connections_per_instance = optional(number, 5000)
    cpu_pct                  = optional(number, 60)
  })
  default = {}
}

variable "instance_type" {
  description = "Machine type of the backends."
  type        = string
}

variable "architecture" {
  description = "Processors of the backends' machines: x86_64 or arm64 (Graviton)."
  type        = string
  default     = "x86_64"
}

variable "web_acl_arn" {
  description = "Web ACL of AWS WAF for the load balancer; null: none."
  type        = string
  default     = null
}

variable "redis" {
  description = "Size of Redis; a secondary of a Global Datastore takes it from there."
  type = object({
    engine                  = optional(string, "redis")
    engine_version          = optional(string)
    wait                    = optional(string, "best-effort")
    node_type               = string
    shards                  = number
    replicas_per_shard      = number
    snapshot_retention_days = number
    snapshot_name           = optional(string)
    secondary               = optional(bool, false)
    global_datastore_id     = optional(string)
  })

  validation {
    condition     = contains(["required", "best-effort", "off"], var.redis.wait)
    error_message = "redis.wait is required, best-effort or off: docs/redis.md, WAIT."
  }
}

variable "redis_auth_token" {
  description = "AUTH token of Redis; null: a secondary of a Global Datastore has it from the primary."
  type        = string
  sensitive   = true
  default     = null
}

variable "redis_secret" {
  description = "Name of the secret that holds it."
  type        = string
}

variable "backend_secret" {
  description = "Name of the secret with the environment variables of the backends."
  type        = string
}

variable "sessions" {
  description = "Bounds on stored sessions: days until an unused one expires, and the most of all; 0: none."
  type = object({
    expiry_days = optional(number, 0)
    max_stored  = optional(number, 0)
  })
  default = {}
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
}

variable "alert_emails" {
  description = "Who hears of alarms."
  type        = list(string)
}

variable "expects_connections" {
  description = "Whether it is an incident if no client is connected."
  type        = bool
}

variable "deployer_principal_arns" {
  description = "Who may assume the deployer's role."
  type        = list(string)
}

variable "runner" {
  description = "Whether to make a machine inside the VPC that deploys."
  type        = bool
  default     = false
}

variable "github" {
  description = "Repository and environment on GitHub whose workflows may ask the runner for a deploy; null: none."
  type = object({
    repository      = string
    environment     = string
    create_provider = optional(bool, true)
  })
  default = null
}

variable "state_bucket" {
  description = "Bucket with those states; null: that of the bootstrap, in its first region."
  type        = string
  default     = null
}

variable "state_prefix" {
  description = "Folder of the state bucket that the states of the two colours are in."
  type        = string
}

variable "deletion_protection" {
  description = "Whether load balancer and journal refuse to be deleted."
  type        = bool
}

variable "emulator" {
  description = "True: against an API server that lacks parts of AWS."
  type        = bool
}
