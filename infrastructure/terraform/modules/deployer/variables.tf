variable "name" {
  description = "What everything made here is called by."
  type        = string
}

variable "bootstrap_name" {
  description = "Name of the bootstrap, whose bucket has the states."
  type        = string
}

variable "state_bucket" {
  description = "Bucket with the states of the two colours; null: that of the bootstrap, in its first region."
  type        = string
  default     = null
}

variable "account_id" {
  description = "The AWS account."
  type        = string
}

variable "region" {
  description = "Region that this role deploys to; roles are global, so it is part of the name."
  type        = string
}

variable "principal_arns" {
  description = "Who may deploy; empty: every principal of this account that is allowed to assume the role."
  type        = list(string)
  default     = []
}

variable "machine_role_name" {
  description = "Role that it may pass on to machines."
  type        = string
}

variable "task_role_names" {
  description = "Roles that it may pass on to tasks of ECS."
  type        = list(string)
}

variable "secrets" {
  description = "Names of the secrets that it reads: the engine needs a token."
  type        = list(string)
}

variable "log_groups" {
  description = "CloudWatch log group, by colour."
  type        = map(string)
}

variable "state_prefix" {
  description = "Folder of the state bucket that the states of the two colours are in."
  type        = string
}

variable "paired" {
  description = "Whether this is one of two regions: their failovers are looked at before a deploy, and may be started."
  type        = bool
  default     = false
}
