# How many machines there are, between the least and the most; and what precedes the end of one.

locals {
  scales = var.image_version != "" && local.most > local.least
}

resource "aws_autoscaling_policy" "connections" {
  count = local.scales ? 1 : 0

  name                      = "connections"
  autoscaling_group_name    = aws_autoscaling_group.this[0].name
  policy_type               = "TargetTrackingScaling"
  estimated_instance_warmup = 300

  target_tracking_configuration {
    target_value = local.ground.scaling.connections_per_instance

    # Each machine reports its own, so the average is that of one machine.
    customized_metric_specification {
      namespace   = local.ground.metrics_namespace
      metric_name = "ActiveWebSocketConnections"
      statistic   = "Average"

      metric_dimension {
        name  = "Environment"
        value = var.name
      }

      metric_dimension {
        name  = "Colour"
        value = var.colour
      }
    }
  }
}

resource "aws_autoscaling_policy" "cpu" {
  count = local.scales ? 1 : 0

  name                      = "cpu"
  autoscaling_group_name    = aws_autoscaling_group.this[0].name
  policy_type               = "TargetTrackingScaling"
  estimated_instance_warmup = 300

  target_tracking_configuration {
    target_value = local.ground.scaling.cpu_pct

    predefined_metric_specification {
      predefined_metric_type = "ASGAverageCPUUtilization"
    }
  }
}

# A machine that is to end waits until `isshoni attend` has moved its users, at most this long. It is
# removed before the group is, so a colour that ends does not wait for it.
resource "aws_autoscaling_lifecycle_hook" "evacuate" {
  count = var.image_version == "" ? 0 : 1

  name                   = "evacuate"
  autoscaling_group_name = aws_autoscaling_group.this[0].name
  lifecycle_transition   = "autoscaling:EC2_INSTANCE_TERMINATING"
  heartbeat_timeout      = 900
  default_result         = "CONTINUE"
}
