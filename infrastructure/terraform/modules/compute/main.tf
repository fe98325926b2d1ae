locals {
  user_data = {
    for colour, version in var.image_version : colour => templatefile("${path.module}/user_data.sh.tftpl", {
      admin_port          = var.admin_port
      backend_port        = var.backend_port
      backend_secret      = var.backend_secret
      colour              = colour
      drain_seconds       = 60
      image               = "${var.image_repository}:${version}"
      log_group           = var.log_groups[colour]
      metrics_namespace   = var.metrics_namespace
      origin              = var.origin
      redis_endpoint      = var.redis_endpoint
      redis_secret        = var.redis_secret
      redis_wait_replicas = var.redis_wait_replicas
      sessions            = var.sessions
      region              = var.region
      registry            = split("/", var.image_repository)[0]
      version             = version
    })
  }
}

resource "aws_launch_template" "colour" {
  for_each = var.image_version

  name                   = "${var.name}-${each.key}"
  image_id               = var.machine_image
  instance_type          = var.instance_type
  update_default_version = true
  user_data              = base64encode(local.user_data[each.key])

  iam_instance_profile {
    arn = var.instance_profile_arn
  }

  # IMDSv2 only, and one hop: nothing that is tricked into fetching a URL reaches the credentials.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  network_interfaces {
    associate_public_ip_address = false
    security_groups             = [var.security_group_id]
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
}

resource "aws_autoscaling_group" "blue" {
  count = contains(keys(var.image_version), "blue") ? 1 : 0

  name                = "${var.name}-blue"
  min_size            = var.instances_per_colour
  max_size            = var.instances_per_colour
  desired_capacity    = var.instances_per_colour
  vpc_zone_identifier = var.subnet_ids
  target_group_arns   = [var.target_group_arns.blue]

  # EC2, not ELB: readiness exercises Redis, and a Redis in trouble must not have every machine
  # replaced. systemd restarts a program that died, and isshoni-watch ends one that hangs (by its
  # liveness, which needs no Redis); the engine reads the targets' health itself.
  health_check_type = "EC2"
  # Nor is anybody's socket cut so that zones look even.
  suspended_processes = ["AZRebalance"]
  # The engine waits, for it can also give up and roll back.
  wait_for_capacity_timeout = "0"

  launch_template {
    id      = aws_launch_template.colour["blue"].id
    version = aws_launch_template.colour["blue"].latest_version
  }

  dynamic "tag" {
    for_each = {
      Name              = "${var.name}-blue"
      "isshoni:colour"  = "blue"
      "isshoni:version" = var.image_version.blue
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

resource "aws_autoscaling_group" "green" {
  count = contains(keys(var.image_version), "green") ? 1 : 0

  name                = "${var.name}-green"
  min_size            = var.instances_per_colour
  max_size            = var.instances_per_colour
  desired_capacity    = var.instances_per_colour
  vpc_zone_identifier = var.subnet_ids
  target_group_arns   = [var.target_group_arns.green]

  # As for blue.
  health_check_type         = "EC2"
  suspended_processes       = ["AZRebalance"]
  wait_for_capacity_timeout = "0"

  launch_template {
    id      = aws_launch_template.colour["green"].id
    version = aws_launch_template.colour["green"].latest_version
  }

  dynamic "tag" {
    for_each = {
      Name              = "${var.name}-green"
      "isshoni:colour"  = "green"
      "isshoni:version" = var.image_version.green
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
