# Three roles: of the machines, of ECS when it starts a task, and of the program itself.

locals {
  clusters = [for cluster in var.clusters : "arn:aws:ecs:${var.region}:${var.account_id}:cluster/${cluster}"]
}

data "aws_iam_policy_document" "by_machines" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "by_tasks" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    # Only tasks of this account, not those of another that was given the role's name.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }
}

# What the ECS agent does, in the clusters of the two colours only. With the host's network a
# program can reach these credentials: no secret and no log is among them.
data "aws_iam_policy_document" "machine" {
  statement {
    sid       = "JoinTheCluster"
    actions   = ["ecs:DeregisterContainerInstance", "ecs:RegisterContainerInstance"]
    resources = local.clusters
  }

  statement {
    sid = "RunItsTasks"
    actions = [
      "ecs:Poll",
      "ecs:StartTelemetrySession",
      "ecs:UpdateContainerInstancesState",
    ]
    resources = [for cluster in var.clusters : "arn:aws:ecs:${var.region}:${var.account_id}:container-instance/${cluster}/*"]
  }

  statement {
    sid = "ReportItsTasks"
    actions = [
      "ecs:SubmitAttachmentStateChanges",
      "ecs:SubmitContainerStateChange",
      "ecs:SubmitTaskStateChange",
    ]
    resources = local.clusters
  }

  # These actions know no resources: where the agent connects to, and Session Manager, by
  # which operators reach a machine that has no open port and no key.
  statement {
    sid = "BeReached"
    actions = [
      "ecs:DiscoverPollEndpoint",
      "ssm:UpdateInstanceInformation",
      "ssmmessages:CreateControlChannel",
      "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel",
      "ssmmessages:OpenDataChannel",
    ]
    resources = ["*"]
  }
}

resource "aws_iam_role" "machine" {
  name               = "${var.name}-machine-${var.region}"
  description        = "Machines of both colours"
  assume_role_policy = data.aws_iam_policy_document.by_machines.json
}

resource "aws_iam_role_policy" "machine" {
  name   = "machine"
  role   = aws_iam_role.machine.id
  policy = data.aws_iam_policy_document.machine.json
}

resource "aws_iam_instance_profile" "machine" {
  name = "${var.name}-machine-${var.region}"
  role = aws_iam_role.machine.name
}

data "aws_iam_policy_document" "execution" {
  statement {
    sid       = "PullTheImage"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = [var.image_repository_arn]
  }

  statement {
    sid       = "ReadItsSecrets"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [for secret in var.secrets : "arn:aws:secretsmanager:${var.region}:${var.account_id}:secret:${secret}-??????"]
  }

  # Its metrics are lines of its log.
  statement {
    sid       = "WriteItsLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = [for group in var.log_groups : "arn:aws:logs:${var.region}:${var.account_id}:log-group:${group}:*"]
  }

  # The token for a registry knows no resources.
  statement {
    sid       = "LogIn"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }
}

resource "aws_iam_role" "execution" {
  name               = "${var.name}-execution-${var.region}"
  description        = "ECS, when it starts a backend"
  assume_role_policy = data.aws_iam_policy_document.by_tasks.json
}

resource "aws_iam_role_policy" "execution" {
  name   = "execution"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}

# Without rights: a backend calls no API of AWS.
resource "aws_iam_role" "task" {
  name               = "${var.name}-task-${var.region}"
  description        = "Backends of both colours"
  assume_role_policy = data.aws_iam_policy_document.by_tasks.json
}
