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
  cluster  = local.ground.clusters[var.colour]
  least    = local.ground.instances_per_colour
  most     = local.ground.max_instances_per_colour
  # Those of this version, if all of them are.
  runs_it = var.image_version != "" && length(local.machines) == length(data.aws_instances.of_version.ids)
}

data "aws_lb_listener" "https" {
  arn = local.ground.listener_arn
}

# The provider puts them on what it makes itself; machines and disks are made by their group.
data "aws_default_tags" "current" {}

data "aws_ssm_parameter" "machine_image" {
  name = join("/", concat(
    ["/aws/service/ecs/optimized-ami/amazon-linux-2023"],
    lookup(local.ground, "architecture", "x86_64") == "arm64" ? ["arm64"] : [],
    ["recommended/image_id"],
  ))
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

# A version gets machines of its own, from the newest machine image at that time. Machines that run keep theirs.
resource "terraform_data" "version" {
  count = var.image_version == "" ? 0 : 1

  input = var.image_version

  depends_on = [terraform_data.guard]
}

# How many machines it starts with: remembered, for the next plan may be given another number.
resource "terraform_data" "instances" {
  count = var.image_version == "" ? 0 : 1

  input = max(local.least, min(local.most, var.instances))

  lifecycle {
    ignore_changes       = [input]
    replace_triggered_by = [terraform_data.version]
  }
}

resource "aws_launch_template" "this" {
  count = var.image_version == "" ? 0 : 1

  name                   = "${var.name}-${var.colour}"
  image_id               = var.machine_image == "" ? data.aws_ssm_parameter.machine_image.insecure_value : var.machine_image
  instance_type          = local.ground.instance_type
  update_default_version = true
  # Nothing is installed at boot: image and agent are those of the machine image.
  user_data = base64encode(join("\n", [
    "#!/bin/bash",
    "cat >>/etc/ecs/ecs.config <<'END'",
    "ECS_CLUSTER=${local.cluster}",
    # A tag never changes its image.
    "ECS_IMAGE_PULL_BEHAVIOR=once",
    "ECS_CONTAINER_STOP_TIMEOUT=${local.stop_seconds}s",
    "ECS_DISABLE_PRIVILEGED=true",
    # The engine drains a machine: it moves the users first.
    "ECS_ENABLE_SPOT_INSTANCE_DRAINING=false",
    "END",
    "",
  ]))

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
      encrypted   = true
      volume_type = "gp3"
      # The snapshot of the machine image has 30 GiB; a smaller disk cannot be made from it.
      volume_size           = 30
      delete_on_termination = true
    }
  }

  dynamic "tag_specifications" {
    for_each = toset(["instance", "network-interface", "volume"])

    content {
      resource_type = tag_specifications.value
      tags          = merge(data.aws_default_tags.current.tags, { Name = "${var.name}-${var.colour}" })
    }
  }

  monitoring {
    enabled = true
  }

  lifecycle {
    ignore_changes       = [image_id]
    replace_triggered_by = [terraform_data.version]
  }
}

resource "aws_autoscaling_group" "this" {
  count = var.image_version == "" ? 0 : 1

  name     = "${var.name}-${var.colour}"
  min_size = local.least
  max_size = local.most
  # As many as serve on the other colour now; from then on the policies decide.
  desired_capacity    = terraform_data.instances[0].output
  vpc_zone_identifier = local.ground.subnet_ids
  # Here and not in the ECS service, which would replace the tasks of unhealthy targets: readiness
  # exercises Redis, and a Redis in trouble must not have every task replaced.
  target_group_arns = [local.own]

  # EC2, not ELB, for the same reason. ECS replaces a container that died or hangs.
  health_check_type = "EC2"
  # Rebalancing zones would cut sockets.
  suspended_processes = ["AZRebalance"]
  # The engine waits, for it can also give up and roll back.
  wait_for_capacity_timeout = "0"
  # A candidate that waits for its users must not shrink; the engine ends that after the rollout.
  protect_from_scale_in = true

  launch_template {
    id      = aws_launch_template.this[0].id
    version = aws_launch_template.this[0].latest_version
  }

  dynamic "tag" {
    for_each = merge(data.aws_default_tags.current.tags, {
      Name                = "${var.name}-${var.colour}"
      "isshoni:colour"    = var.colour
      "isshoni:version"   = var.image_version
      "isshoni:instances" = terraform_data.instances[0].output
    })

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  timeouts {
    delete = "20m"
  }

  lifecycle {
    ignore_changes       = [desired_capacity, protect_from_scale_in]
    replace_triggered_by = [terraform_data.version]
  }
}
