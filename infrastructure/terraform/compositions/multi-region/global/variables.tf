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
  description = "The first region; it has the secrets, which are copied to the second."
  type        = string
  default     = "eu-west-1"
}

variable "second_region" {
  description = "The second region."
  type        = string
  default     = "eu-central-1"

  validation {
    condition     = var.second_region != var.region
    error_message = "A standby in the same region is lost with it."
  }
}

variable "redis_auth_token_version" {
  description = "Raise it to have Redis's AUTH token replaced."
  type        = number
  default     = 1
}

variable "domain_name" {
  description = "Name that users open, like chat.example.com."
  type        = string
}

variable "hosted_zone_id" {
  description = "Route 53 zone that the name is in."
  type        = string
}

variable "failover_principal_arns" {
  description = "Who may assume the role that fails over; empty: whom this account allows to."
  type        = list(string)
  default     = []
}

variable "emulator" {
  description = "True only against an API server without replication groups, Global Datastores, composite alarms and table replicas: makes none of those."
  type        = bool
  default     = false
}
