# What the ground published for its colours.

data "aws_ssm_parameter" "ground" {
  name = "/${var.name}/colours"
}

locals {
  ground = jsondecode(data.aws_ssm_parameter.ground.insecure_value)
}
