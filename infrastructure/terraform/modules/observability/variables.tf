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

variable "metrics_namespace" {
  description = "CloudWatch namespace of the backends' own metrics."
  type        = string
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
}

variable "alert_emails" {
  description = "Who gets the alarms; each address has to confirm twice, once for those of Redis."
  type        = list(string)
}

variable "load_balancer" {
  description = "The load balancer in CloudWatch's dimensions."
  type        = string
}

variable "target_groups" {
  description = "Target group in CloudWatch's dimensions, by colour."
  type        = map(string)
}

variable "redis_node_ids" {
  description = "Every node of the Redis cluster."
  type        = list(string)
}

variable "expects_connections" {
  description = "Whether it is an incident if no client is connected."
  type        = bool
}

variable "paired" {
  description = "Whether this is one of two regions, which may stand by and whose Redis may follow the other's."
  type        = bool
  default     = false
}

variable "emulator" {
  description = "True: the API server has no composite alarms."
  type        = bool
}
