# What the ground published for its colours.

data "aws_ssm_parameter" "ground" {
  name = "/${var.name}/colours"

  lifecycle {
    postcondition {
      condition     = can(jsondecode(self.insecure_value).clusters)
      error_message = "The ground of ${var.name} was applied by a version without ECS. Nothing was changed. Apply the ground first (terraform apply in the folder above this one)."
    }
  }
}

locals {
  ground = jsondecode(data.aws_ssm_parameter.ground.insecure_value)
}
