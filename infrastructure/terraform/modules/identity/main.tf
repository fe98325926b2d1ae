data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "backend" {
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

  # These actions know no resources: the token for a registry, and Session Manager, by
  # which operators reach a machine that has no open port and no key.
  statement {
    sid = "LogInAndBeReached"
    actions = [
      "ecr:GetAuthorizationToken",
      "ssm:UpdateInstanceInformation",
      "ssmmessages:CreateControlChannel",
      "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel",
      "ssmmessages:OpenDataChannel",
    ]
    resources = ["*"]
  }
}

resource "aws_iam_role" "backend" {
  name               = "${var.name}-backend-${var.region}"
  description        = "Backends of both colours"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role_policy" "backend" {
  name   = "backend"
  role   = aws_iam_role.backend.id
  policy = data.aws_iam_policy_document.backend.json
}

resource "aws_iam_instance_profile" "backend" {
  name = "${var.name}-backend-${var.region}"
  role = aws_iam_role.backend.name
}
