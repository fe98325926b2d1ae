variable "name" {
  description = "What everything of the environment is called by; the ground's parameters are under it."
  type        = string
}

variable "ground" {
  description = "Composition of the ground; the parameters of another one are refused."
  type        = string
}

variable "colour" {
  description = "blue or green."
  type        = string
}

variable "image_version" {
  description = "Image tag; empty: no machines."
  type        = string

  validation {
    condition     = var.image_version == "" || can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.image_version))
    error_message = "An image tag has up to 128 letters, digits, dots, hyphens and underscores."
  }
}

variable "drained" {
  description = "True: no user is on the machines that this stops; the engine says so once it has moved them."
  type        = bool
  default     = false
}

variable "instances" {
  description = "Machines to start a version with, within the ground's bounds; 0: the least. Ignored while it runs."
  type        = number
  default     = 0
}

variable "machine_image" {
  description = "AMI; empty: the ECS-optimised Amazon Linux 2023 that AWS recommends when a version starts."
  type        = string
  default     = ""
}
