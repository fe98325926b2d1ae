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

variable "repository" {
  description = "Repository on GitHub, like owner/name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", var.repository))
    error_message = "Name one repository, as owner/name, without a pattern."
  }
}

variable "environment" {
  description = "Its environment whose workflows may deploy; protect it on GitHub."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+$", var.environment))
    error_message = "Name one environment, without a pattern."
  }
}

variable "create_provider" {
  description = "Whether to make GitHub's identity provider: an account has one."
  type        = bool
}

variable "document" {
  description = "SSM document that deploys."
  type        = string
}
