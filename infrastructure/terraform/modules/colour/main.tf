# One colour: its machines, and the guard that keeps machines with users from being stopped.

locals {
  weights = {
    for group in try(data.aws_lb_listener.https.default_action[0].forward[0].target_group, []) :
    group.arn => group.weight
  }
  own      = local.ground.target_group_arns[var.colour]
  only_own = try(data.aws_lb_listener.https.default_action[0].target_group_arn, "") == local.own
  weight   = lookup(local.weights, local.own, local.only_own ? 100 : 0)
  machines = data.aws_instances.running.ids
  # Those of this version, if all of them are.
  runs_it = var.image_version != "" && length(local.machines) == length(data.aws_instances.of_version.ids)
}

data "aws_lb_listener" "https" {
  arn = local.ground.listener_arn
}

data "aws_instances" "running" {
  instance_state_names = ["pending", "running"]

  filter {
    name   = "tag:aws:autoscaling:groupName"
    values = ["${var.name}-${var.colour}"]
  }
}

data "aws_instances" "of_version" {
  instance_state_names = ["pending", "running"]

  filter {
    name   = "tag:aws:autoscaling:groupName"
    values = ["${var.name}-${var.colour}"]
  }

  filter {
    name   = "tag:isshoni:version"
    values = [var.image_version]
  }
}

# Terraform checks this at every plan, whatever else is in it.
resource "terraform_data" "guard" {
  lifecycle {
    # `terraform destroy` checks no precondition.
    prevent_destroy = true

    precondition {
      condition     = local.runs_it || length(local.machines) == 0 || local.weight == 0
      error_message = "${var.colour} is live: it gets ${local.weight} % of the new connections and runs another version than \"${var.image_version}\". Nothing was changed. Deploy to the other colour."
    }

    precondition {
      condition     = local.runs_it || length(local.machines) == 0 || local.weight > 0 || var.drained
      error_message = "${var.colour} has ${length(local.machines)} machines of another version than \"${var.image_version}\", and they may have users. Nothing was changed. `isshoni rollback` or `isshoni deploy` moves users away first; if there are none, add -var drained=true."
    }
  }
}

resource "aws_launch_template" "this" {
  count = var.image_version == "" ? 0 : 1

  name                   = "${var.name}-${var.colour}"
  image_id               = var.machine_image
  instance_type          = local.ground.instance_type
  update_default_version = true
  user_data = base64encode(templatefile("${path.module}/user_data.sh.tftpl", {
    admin_port          = local.ground.admin_port
    backend_port        = local.ground.backend_port
    backend_secret      = local.ground.backend_secret
    colour              = var.colour
    drain_seconds       = 60
    environment         = var.name
    image               = "${local.ground.image_repository}:${var.image_version}"
    log_group           = local.ground.log_groups[var.colour]
    metrics_namespace   = local.ground.metrics_namespace
    origin              = local.ground.origin
    redis_endpoint      = local.ground.redis_endpoint
    redis_secret        = local.ground.redis_secret
    redis_wait_replicas = local.ground.redis_wait_replicas
    sessions            = local.ground.sessions
    region              = local.ground.region
    registry            = split("/", local.ground.image_repository)[0]
    version             = var.image_version
  }))

  iam_instance_profile {
    arn = local.ground.instance_profile_arn
  }

  # IMDSv2 only, and one hop: nothing that is tricked into fetching a URL reaches the credentials.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  network_interfaces {
    associate_public_ip_address = false
    security_groups             = [local.ground.security_group_id]
    delete_on_termination       = true
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      encrypted             = true
      volume_type           = "gp3"
      volume_size           = 16
      delete_on_termination = true
    }
  }

  monitoring {
    enabled = true
  }

  depends_on = [terraform_data.guard]
}

resource "aws_autoscaling_group" "this" {
  count = var.image_version == "" ? 0 : 1

  name                = "${var.name}-${var.colour}"
  min_size            = local.ground.instances_per_colour
  max_size            = local.ground.instances_per_colour
  desired_capacity    = local.ground.instances_per_colour
  vpc_zone_identifier = local.ground.subnet_ids
  target_group_arns   = [local.own]

  # EC2, not ELB: readiness exercises Redis, and a Redis in trouble must not have every machine
  # replaced. systemd restarts a program that died, and isshoni-watch ends one that hangs (by its
  # liveness, which needs no Redis); the engine reads the targets' health itself.
  health_check_type = "EC2"
  # Rebalancing zones would cut sockets.
  suspended_processes = ["AZRebalance"]
  # The engine waits, for it can also give up and roll back.
  wait_for_capacity_timeout = "0"

  launch_template {
    id      = aws_launch_template.this[0].id
    version = aws_launch_template.this[0].latest_version
  }

  dynamic "tag" {
    for_each = {
      Name              = "${var.name}-${var.colour}"
      "isshoni:colour"  = var.colour
      "isshoni:version" = var.image_version
    }

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  timeouts {
    delete = "20m"
  }
}
