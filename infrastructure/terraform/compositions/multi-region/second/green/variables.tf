variable "target_group" {
  description = "green: it says on the command line what this folder is about."
  type        = string

  validation {
    condition     = var.target_group == "green"
    error_message = "This folder is about green; blue has its own."
  }
}

variable "image_version" {
  description = "Image tag; empty: no machines."
  type        = string
}

variable "drained" {
  description = "True: no user is on the machines that this stops."
  type        = bool
  default     = false
}

variable "instances" {
  description = "Machines to start a version with, within the ground's bounds; 0: the least."
  type        = number
  default     = 0
}

variable "name" {
  description = "What everything of the environment is called by."
  type        = string
  default     = "isshoni"
}

variable "region" {
  description = "Region of the environment."
  type        = string
  default     = "eu-central-1"
}
