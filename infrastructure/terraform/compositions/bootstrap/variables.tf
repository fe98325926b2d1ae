variable "account_id" {
  description = "The AWS account; Terraform refuses to touch any other."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An AWS account id has 12 digits."
  }
}

variable "name" {
  description = "What everything here is called by; the environments name it as `bootstrap_name`."
  type        = string
  default     = "isshoni"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "3 to 20 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "region" {
  description = "Region of the state and of the images."
  type        = string
  default     = "eu-west-1"
}

variable "replica_region" {
  description = "Region of the copies."
  type        = string
  default     = "eu-central-1"

  validation {
    condition     = var.replica_region != var.region
    error_message = "A copy in the same region is lost with it."
  }
}
