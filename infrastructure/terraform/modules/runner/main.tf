# The machine that deploys: inside the VPC, for the admin ports of the backends are reached from there only.
# It has no public address, no open port and no key; an operator reaches it by Session Manager.

locals {
  deployer_arn = "arn:aws:iam::${var.account_id}:role/${var.name}-deployer-${var.region}"
}

data "aws_ssm_parameter" "machine_image" {
  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "runner" {
  statement {
    sid       = "BecomeTheDeployer"
    actions   = ["sts:AssumeRole"]
    resources = [local.deployer_arn]
  }

  # These actions know no resources: by them Session Manager reaches a machine without an open port.
  statement {
    sid = "BeReached"
    actions = [
      "ssm:UpdateInstanceInformation",
      "ssmmessages:CreateControlChannel",
      "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel",
      "ssmmessages:OpenDataChannel",
    ]
    resources = ["*"]
  }
}

resource "aws_iam_role" "runner" {
  name               = "${var.name}-runner-${var.region}"
  description        = "Machine that runs isshoni deploy"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role_policy" "runner" {
  name   = "runner"
  role   = aws_iam_role.runner.id
  policy = data.aws_iam_policy_document.runner.json
}

resource "aws_iam_instance_profile" "runner" {
  name = "${var.name}-runner-${var.region}"
  role = aws_iam_role.runner.name
}

resource "aws_instance" "runner" {
  ami                         = data.aws_ssm_parameter.machine_image.value
  instance_type               = var.instance_type
  subnet_id                   = var.subnet_id
  vpc_security_group_ids      = [var.security_group_id]
  iam_instance_profile        = aws_iam_instance_profile.runner.name
  associate_public_ip_address = false

  # Deploys run as the user `isshoni`. The role of the machine assumes the role of the deployer for it, and renews it.
  user_data = <<-BOOT
    #!/bin/bash
    set -euo pipefail
    useradd --create-home isshoni
    install --directory --owner isshoni /srv/isshoni
    install --directory /etc/isshoni
    cat >/etc/isshoni/aws <<'CONFIG'
    [default]
    region = ${var.region}
    role_arn = ${local.deployer_arn}
    role_session_name = isshoni-runner
    credential_source = Ec2InstanceMetadata
    CONFIG
    echo 'export AWS_CONFIG_FILE=/etc/isshoni/aws' >/etc/profile.d/isshoni.sh
    # Empties machines that are about to end, and watches over rollouts; 7: there was nothing to do.
    cat >/etc/systemd/system/isshoni-attend.service <<'UNIT'
    [Unit]
    ConditionPathExists=/srv/isshoni/.venv/bin/isshoni
    [Service]
    Type=oneshot
    User=isshoni
    WorkingDirectory=/srv/isshoni
    Environment=AWS_CONFIG_FILE=/etc/isshoni/aws
    ExecStart=/srv/isshoni/.venv/bin/isshoni attend --environment ${var.environment}
    SuccessExitStatus=7
    UNIT
    cat >/etc/systemd/system/isshoni-attend.timer <<'UNIT'
    [Timer]
    OnCalendar=minutely
    [Install]
    WantedBy=timers.target
    UNIT
    systemctl daemon-reload
    systemctl enable --now isshoni-attend.timer
  BOOT

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    encrypted   = true
    volume_type = "gp3"
    volume_size = 16
  }

  tags = { Name = "${var.name}-runner" }

  lifecycle {
    # A newer image is no reason to lose what was installed on it.
    ignore_changes = [ami, user_data]
  }
}

# What CI may have it do: deploy one version, and nothing else. The engine is a unit of its own, so it goes on
# and can roll back when the command that waits for it is cancelled; a second deploy finds the unit and fails.
resource "aws_ssm_document" "deploy" {
  name            = "${var.name}-deploy"
  document_type   = "Command"
  document_format = "JSON"
  target_type     = "/AWS::EC2::Instance"

  content = jsonencode({
    schemaVersion = "2.2"
    description   = "isshoni deploy VERSION --environment ${var.deploys_to}"
    parameters = {
      Version = {
        type           = "String"
        description    = "Tag of the image"
        allowedPattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$"
      }
    }
    mainSteps = [{
      action = "aws:runShellScript"
      name   = "deploy"
      inputs = {
        timeoutSeconds = "14400"
        runCommand = [
          "exec systemd-run --wait --pipe --collect --unit=isshoni-deploy --uid=isshoni --working-directory=/srv/isshoni --setenv=AWS_CONFIG_FILE=/etc/isshoni/aws --setenv=HOME=/home/isshoni /srv/isshoni/.venv/bin/isshoni deploy {{ Version }} --environment ${var.deploys_to}",
        ]
      }
    }]
  })
}
