variable "name" {
  description = "What everything made here is called by."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Public subnets, in two zones or more."
  type        = list(string)
}

variable "security_group_id" {
  description = "Security group of the load balancer."
  type        = string
}

variable "certificate_arn" {
  description = "Validated certificate of the domain, in ACM."
  type        = string
}

variable "target_group" {
  description = "Colour that gets every new connection until the engine first moves weights."
  type        = string
}

variable "backend_port" {
  description = "Port on which backends serve users."
  type        = number
}

variable "idle_timeout_seconds" {
  description = "When the load balancer cuts a silent connection; heartbeats come every 20 s."
  type        = number
  default     = 120

  validation {
    condition     = var.idle_timeout_seconds >= 60
    error_message = "Below 60 s a heartbeat or two that come late cut a living WebSocket."
  }

  # The backends close an idle connection after 180 s (ISSHONI_KEEP_ALIVE_SECONDS). If they are first, the
  # load balancer answers what it sends on it with 502.
  validation {
    condition     = var.idle_timeout_seconds <= 150
    error_message = "Above 150 s the backends could close an idle connection before the load balancer does."
  }
}

variable "deregistration_delay_seconds" {
  description = "What stragglers have when their target is deregistered."
  type        = number
  default     = 300
}

variable "log_bucket" {
  description = "Bucket of the access log, which the load balancer may write to."
  type        = string
}

variable "log_prefix" {
  description = "Folder of the access log in that bucket."
  type        = string
}

variable "web_acl_arn" {
  description = "Web ACL of AWS WAF, of the same region; null: none."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether the load balancer refuses to be deleted."
  type        = bool
}
