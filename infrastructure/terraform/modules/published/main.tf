# What others need to know of the ground, where they can read it without its state, which has secrets.

resource "aws_ssm_parameter" "engine" {
  name        = "/${var.name}/engine"
  description = "What the deploy engine reads"
  type        = "String"
  tier        = "Intelligent-Tiering"
  value       = jsonencode(var.engine)
}

resource "aws_ssm_parameter" "colours" {
  name        = "/${var.name}/colours"
  description = "What the compositions of the two colours read"
  type        = "String"
  tier        = "Intelligent-Tiering"
  value       = jsonencode(var.colours)
}
