variable "name" {
  description = "What everything of the environment is called by; the ground's parameters are under it."
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

variable "machine_image" {
  description = "AMI, or `resolve:ssm:` and the parameter that names it: Amazon Linux 2023."
  type        = string
  default     = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
}
