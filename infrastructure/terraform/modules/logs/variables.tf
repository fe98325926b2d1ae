variable "name" {
  description = "What everything made here is called by."
  type        = string
}

variable "account_id" {
  description = "The AWS account: bucket names are shared by all the world."
  type        = string
}

variable "region" {
  description = "Region of the provider."
  type        = string
}

variable "vpc_id" {
  description = "VPC whose flows are logged."
  type        = string
}

variable "flows" {
  description = "Which flows are logged: REJECT or ALL, which costs far more."
  type        = string
  default     = "REJECT"

  validation {
    condition     = contains(["REJECT", "ALL"], var.flows)
    error_message = "REJECT or ALL."
  }
}

variable "retention_days" {
  description = "How long logs are kept."
  type        = number
}

variable "deletion_protection" {
  description = "Whether the bucket refuses to be deleted while it has logs."
  type        = bool
}
