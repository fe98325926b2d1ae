variable "account_id" {
  description = "The AWS account; Terraform refuses to touch any other."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An AWS account id has 12 digits."
  }
}

variable "name" {
  description = "What everything is called by."
  type        = string
  default     = "isshoni"
}

variable "region" {
  description = "The first region."
  type        = string
  default     = "eu-west-1"
}

variable "second_region" {
  description = "The second region."
  type        = string
  default     = "eu-central-1"
}

variable "first" {
  description = "`terraform output network` of the first region."
  type = object({
    vpc_id            = string
    cidr              = string
    runner_cidr       = string
    route_table_ids   = list(string)
    backend_group_id  = string
    operator_group_id = string
    admin_port        = number
  })
}

variable "second" {
  description = "`terraform output network` of the second region."
  type = object({
    vpc_id            = string
    cidr              = string
    runner_cidr       = string
    route_table_ids   = list(string)
    backend_group_id  = string
    operator_group_id = string
    admin_port        = number
  })

  validation {
    condition     = var.second.cidr != var.first.cidr
    error_message = "Two networks with the same addresses cannot be connected."
  }
}
