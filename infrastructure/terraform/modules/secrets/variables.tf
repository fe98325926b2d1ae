variable "name" {
  description = "What everything made here is called by."
  type        = string
}

variable "redis_auth_token_version" {
  description = "Raise it to create a new AUTH token and set it in Redis."
  type        = number
  default     = 1
}

variable "replica_regions" {
  description = "Regions that get the same secrets."
  type        = list(string)
  default     = []
}

variable "recovery_window_days" {
  description = "How long a deleted secret can be brought back; 0: not at all."
  type        = number
  default     = 30
}
