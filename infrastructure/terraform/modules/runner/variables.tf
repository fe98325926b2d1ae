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

variable "environment" {
  description = "Environment in isshoni.toml that it attends; of two regions, only its own."
  type        = string
}

variable "deploys_to" {
  description = "Environment in isshoni.toml that its document deploys to; of two regions, both."
  type        = string
}

variable "instance_type" {
  description = "Machine type; Terraform needs 2 GiB."
  type        = string
  default     = "t3.small"
}

variable "subnet_id" {
  description = "A private subnet."
  type        = string
}

variable "security_group_id" {
  description = "Security group that the backends' admin ports take connections from."
  type        = string
}
