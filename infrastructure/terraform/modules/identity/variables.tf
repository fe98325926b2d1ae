variable "name" {
  description = "What everything made here is called by."
  type        = string
}

variable "account_id" {
  description = "The AWS account."
  type        = string
}

variable "region" {
  description = "Region of the backends; roles are global, so it is part of their names."
  type        = string
}

variable "image_repository_arn" {
  description = "Repository that images are pulled from."
  type        = string
}

variable "log_groups" {
  description = "CloudWatch log group, by colour."
  type        = map(string)
}

variable "clusters" {
  description = "Names of the ECS clusters that machines join."
  type        = list(string)
}

variable "secrets" {
  description = "Names of the secrets that backends are given."
  type        = list(string)
}
