variable "name" {
  description = "What everything made here is called by."
  type        = string
}

variable "account_id" {
  description = "The AWS account: bucket names are shared by all the world."
  type        = string
}
