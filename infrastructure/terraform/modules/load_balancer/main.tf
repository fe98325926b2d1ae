locals {
  weights = {
    blue  = var.target_group == "blue" ? 100 : 0
    green = var.target_group == "green" ? 100 : 0
  }
  target_groups = { blue = aws_lb_target_group.blue, green = aws_lb_target_group.green }
}

resource "aws_lb" "this" {
  name               = var.name
  load_balancer_type = "application"
  internal           = false
  subnets            = var.subnet_ids
  security_groups    = [var.security_group_id]

  idle_timeout               = var.idle_timeout_seconds
  drop_invalid_header_fields = true
  preserve_host_header       = true
  enable_deletion_protection = var.deletion_protection

  access_logs {
    enabled = true
    bucket  = var.log_bucket
    prefix  = var.log_prefix
  }
}

# Its rules are an administrator's: what is typed into chats and drawings resembles no form.
resource "aws_wafv2_web_acl_association" "this" {
  count = var.web_acl_arn == null ? 0 : 1

  resource_arn = aws_lb.this.arn
  web_acl_arn  = var.web_acl_arn
}

# No stickiness: its cookie would send a client that comes back to the colour it has just left.
resource "aws_lb_target_group" "blue" {
  name                          = "${var.name}-blue"
  vpc_id                        = var.vpc_id
  port                          = var.backend_port
  protocol                      = "HTTP"
  target_type                   = "instance"
  deregistration_delay          = var.deregistration_delay_seconds
  load_balancing_algorithm_type = "least_outstanding_requests"

  health_check {
    path                = "/readyz"
    matcher             = "200"
    interval            = 5
    timeout             = 4
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }

  stickiness {
    enabled = false
    type    = "lb_cookie"
  }
}

resource "aws_lb_target_group" "green" {
  name                          = "${var.name}-green"
  vpc_id                        = var.vpc_id
  port                          = var.backend_port
  protocol                      = "HTTP"
  target_type                   = "instance"
  deregistration_delay          = var.deregistration_delay_seconds
  load_balancing_algorithm_type = "least_outstanding_requests"

  health_check {
    path                = "/readyz"
    matcher             = "200"
    interval            = 5
    timeout             = 4
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }

  stickiness {
    enabled = false
    type    = "lb_cookie"
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "redirect"

    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  default_action {
    type = "forward"

    forward {
      dynamic "target_group" {
        for_each = local.target_groups

        content {
          arn    = target_group.value.arn
          weight = local.weights[target_group.key]
        }
      }

      stickiness {
        enabled  = false
        duration = 1
      }
    }
  }

  # The weights are the engine's: an apply in the middle of a rollout must not reset them.
  lifecycle {
    ignore_changes = [default_action]
  }
}

# A client that is asked to move connects with ?target=COLOUR, whatever the weights say.
resource "aws_lb_listener_rule" "target" {
  for_each = { blue = 10, green = 20 }

  listener_arn = aws_lb_listener.https.arn
  priority     = each.value

  condition {
    query_string {
      key   = "target"
      value = each.key
    }
  }

  action {
    type             = "forward"
    target_group_arn = local.target_groups[each.key].arn
  }
}
