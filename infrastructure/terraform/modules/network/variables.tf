variable "name" {
  description = "What everything made here is called by."
  type        = string
}

variable "region" {
  description = "Region of the provider."
  type        = string
}

variable "zones" {
  description = "Letters of the availability zones to spread over, two or more."
  type        = list(string)

  validation {
    condition     = length(var.zones) >= 2
    error_message = "A load balancer and a Redis that survives a zone need two zones or more."
  }
}

variable "cidr" {
  description = "Addresses of the VPC; a /16, cut into /20s."
  type        = string
}

variable "nat_gateway_per_zone" {
  description = "True: losing a zone costs no other zone its way out. False: one for all, cheaper."
  type        = bool
}
