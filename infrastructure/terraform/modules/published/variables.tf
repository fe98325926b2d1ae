variable "name" {
  description = "The parameters are called /NAME/engine and /NAME/colours."
  type        = string
}

variable "engine" {
  description = "What the deploy engine reads."
  type        = any
}

variable "colours" {
  description = "What the compositions of the two colours read."
  type        = any
}
