variable "domain_name" {
  description = "Name that users open, like chat.example.com."
  type        = string
}

variable "hosted_zone_id" {
  description = "Route 53 zone that the name is in."
  type        = string
}

variable "region" {
  description = "Region of the load balancer; REGION.DOMAIN always leads there."
  type        = string
}

variable "public_record" {
  description = "Whether the name that users open leads here; false: the global part of two regions makes it."
  type        = bool
  default     = true
}

variable "load_balancer_dns_name" {
  description = "Name of the load balancer."
  type        = string
}

variable "load_balancer_zone_id" {
  description = "Hosted zone of that name."
  type        = string
}
