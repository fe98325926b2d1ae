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
  description = "Name of the environment in isshoni.toml."
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
