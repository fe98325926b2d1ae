# What the ground published for its colours.

data "aws_ssm_parameter" "ground" {
  name = "/${var.name}/colours"

  lifecycle {
    postcondition {
      condition     = can(jsondecode(self.insecure_value).clusters)
      error_message = "The ground of ${var.name} was applied by a version without ECS. Nothing was changed. Apply the ground first (terraform apply in the folder above this one)."
    }

    # With the region of the other half, this state would get the machines of that region.
    postcondition {
      condition     = lookup(jsondecode(self.insecure_value), "composition", var.ground) == var.ground
      error_message = "The parameter ${self.name} is of ${lookup(jsondecode(self.insecure_value), "composition", "")}, but this folder is about ${var.ground}. Nothing was changed. Set `region` and `name` to those of ${var.ground}."
    }
  }
}

locals {
  ground = jsondecode(data.aws_ssm_parameter.ground.insecure_value)
}
