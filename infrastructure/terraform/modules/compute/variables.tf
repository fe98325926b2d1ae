variable "name" {
  description = "What everything made here is called by."
  type        = string
}

variable "region" {
  description = "Region of the provider."
  type        = string
}

variable "image_version" {
  description = "Image tag by colour; a colour that is not named has no group."
  type        = map(string)
}

variable "image_repository" {
  description = "Repository of the image, without a tag."
  type        = string
}

variable "instances_per_colour" {
  description = "Machines of a colour that has a version."
  type        = number
}

variable "instance_type" {
  description = "Machine type of the backends."
  type        = string
}

variable "machine_image" {
  description = "AMI, or `resolve:ssm:` and the parameter that names it: Amazon Linux 2023."
  type        = string
  default     = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
}

variable "subnet_ids" {
  description = "Private subnets, one a zone."
  type        = list(string)
}

variable "security_group_id" {
  description = "Security group of the backends."
  type        = string
}

variable "instance_profile_arn" {
  description = "What the backends may do."
  type        = string
}

variable "target_group_arns" {
  description = "Target group, by colour."
  type        = map(string)
}

variable "log_groups" {
  description = "CloudWatch log group, by colour."
  type        = map(string)
}

variable "metrics_namespace" {
  description = "CloudWatch namespace of the metrics that backends write into their log."
  type        = string
}

variable "backend_port" {
  description = "Port on which backends serve users."
  type        = number
}

variable "admin_port" {
  description = "Port of the backends' private admin API."
  type        = number
}

variable "origin" {
  description = "Origin of the page that may open WebSockets, like https://a.example."
  type        = string
}

variable "redis_endpoint" {
  description = "HOST:PORT of the Redis cluster."
  type        = string
}

variable "redis_wait_replicas" {
  description = "On how many replicas a write must be before it is acknowledged."
  type        = number
}

variable "sessions" {
  description = "Bounds on stored sessions: days until an unused one expires, and the most of all; 0: none."
  type = object({
    expiry_days = optional(number, 0)
    max_stored  = optional(number, 0)
  })
  default = {}
}

variable "backend_secret" {
  description = "Secret whose JSON object becomes environment variables of the backend."
  type        = string
}

variable "redis_secret" {
  description = "Secret with the AUTH token of Redis."
  type        = string
}
