variable "name" {
  description = "What everything made here is called by."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "backend_port" {
  description = "Port on which backends serve users, through the load balancer."
  type        = number
}

variable "admin_port" {
  description = "Port of the backends' private admin API."
  type        = number
}

variable "redis_port" {
  description = "Port of Redis."
  type        = number
}
