variable "name" {
  description = "What everything made here is called by."
  type        = string
}

variable "deletion_protection" {
  description = "Whether the table refuses to be deleted."
  type        = bool
}

variable "replica_regions" {
  description = "Regions that get a copy, to be read when this one is lost; the lease is only here."
  type        = list(string)
  default     = []
}
