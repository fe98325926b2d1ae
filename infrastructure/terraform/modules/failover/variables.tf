variable "name" {
  description = "What everything made here is called by."
  type        = string
}

variable "account_id" {
  description = "The AWS account."
  type        = string
}

variable "regions" {
  description = "The two regions, the first one first."
  type        = list(string)

  validation {
    condition     = length(distinct(var.regions)) == 2
    error_message = "Two different regions: a standby in the same region is lost with it."
  }
}

variable "domain_name" {
  description = "Name that users open; not the zone's own, which takes no CNAME."
  type        = string
}

variable "hosted_zone_id" {
  description = "Route 53 zone that the name is in."
  type        = string
}

variable "ttl_seconds" {
  description = "How long resolvers may keep where the name leads."
  type        = number
  default     = 30
}

variable "journal_table" {
  description = "The global table of failovers: journal and lease."
  type        = string
}

variable "backend_secret" {
  description = "Name of the secret with the admin API's token, the same in both regions."
  type        = string
}

variable "principal_arns" {
  description = "Who may fail over; empty: every principal of this account that is allowed to assume the role."
  type        = list(string)
  default     = []
}
