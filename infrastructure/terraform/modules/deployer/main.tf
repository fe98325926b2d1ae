# What `isshoni deploy` may do: read everything that the plan compares, change the two colours'
# machines and the traffic between them, keep its journal, lock and write the Terraform state.
# Not: networks, Redis, secrets, roles, alarms. Those are an administrator's.

locals {
  here         = "${var.region}:${var.account_id}"
  colours      = ["blue", "green"]
  state_bucket = "arn:aws:s3:::${coalesce(var.state_bucket, "${var.bootstrap_name}-state-${var.account_id}")}"
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = length(var.principal_arns) > 0 ? var.principal_arns : ["arn:aws:iam::${var.account_id}:root"]
    }
  }

  # A deploy to both regions runs as one's deployer. Not by its ARN: a role that does not exist yet is refused.
  dynamic "statement" {
    for_each = var.paired ? [1] : []

    content {
      actions = ["sts:AssumeRole"]

      principals {
        type        = "AWS"
        identifiers = ["arn:aws:iam::${var.account_id}:root"]
      }

      condition {
        test     = "ArnLike"
        variable = "aws:PrincipalArn"
        values   = ["arn:aws:iam::${var.account_id}:role/${var.name}-deployer-*"]
      }
    }
  }
}

data "aws_iam_policy_document" "look" {
  # What the plan of a colour compares and what the engine reads; most of these know no resources.
  statement {
    sid = "Compare"
    actions = [
      "autoscaling:Describe*",
      "cloudwatch:DescribeAlarms",
      "cloudwatch:GetMetricData",
      "ec2:Describe*",
      "ecs:Describe*",
      "ecs:List*",
      "elasticloadbalancing:Describe*",
      "iam:GetInstanceProfile",
      "servicequotas:GetServiceQuota",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "ReadWhatTheGroundPublished"
    actions   = ["ssm:GetParameter", "ssm:GetParameters"]
    resources = [for name in concat(["engine", "colours"], var.paired ? ["regions"] : []) : "arn:aws:ssm:${local.here}:parameter/${var.name}/${name}"]
  }

  statement {
    sid       = "FindLostSubscriptions"
    actions   = ["sns:ListSubscriptionsByTopic"]
    resources = ["arn:aws:sns:${local.here}:${var.name}-alerts"]
  }

  statement {
    sid       = "ReadSecrets"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [for secret in var.secrets : "arn:aws:secretsmanager:${local.here}:secret:${secret}-??????"]
  }

  # A task definition names a secret by its whole ARN, which has a random end.
  statement {
    sid       = "FindSecrets"
    actions   = ["secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy"]
    resources = [for secret in var.secrets : "arn:aws:secretsmanager:${local.here}:secret:${secret}-??????"]
  }

  statement {
    sid       = "FindTheMachineImage"
    actions   = ["ssm:GetParameter", "ssm:GetParameters"]
    resources = ["arn:aws:ssm:${var.region}::parameter/aws/service/ecs/optimized-ami/amazon-linux-2023/*"]
  }

  # No deploy runs beside a failover. Any copy of its journal, as the other region may be lost.
  dynamic "statement" {
    for_each = var.paired ? [1] : []

    content {
      sid       = "SeeFailovers"
      actions   = ["dynamodb:GetItem", "dynamodb:Query"]
      resources = ["arn:aws:dynamodb:*:${var.account_id}:table/${var.name}-failover-journal"]
    }
  }

  dynamic "statement" {
    for_each = var.paired ? [1] : []

    content {
      sid       = "FailOver"
      actions   = ["sts:AssumeRole"]
      resources = ["arn:aws:iam::${var.account_id}:role/${var.name}-failover"]
    }
  }

  dynamic "statement" {
    for_each = var.paired ? [1] : []

    content {
      sid       = "DeployToTheOtherRegion"
      actions   = ["sts:AssumeRole"]
      resources = ["arn:aws:iam::${var.account_id}:role/${var.name}-deployer-*"]
    }
  }

  statement {
    sid       = "TailTheLogs"
    actions   = ["logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents"]
    resources = [for group in var.log_groups : "arn:aws:logs:${local.here}:log-group:${group}:*"]
  }
}

data "aws_iam_policy_document" "deploy" {
  statement {
    sid = "ShiftTraffic"
    actions = [
      "elasticloadbalancing:DeregisterTargets",
      "elasticloadbalancing:ModifyListener",
      "elasticloadbalancing:ModifyRule",
      "elasticloadbalancing:ModifyTargetGroupAttributes",
      "elasticloadbalancing:RegisterTargets",
    ]
    resources = [
      "arn:aws:elasticloadbalancing:${local.here}:listener/app/${var.name}/*",
      "arn:aws:elasticloadbalancing:${local.here}:listener-rule/app/${var.name}/*",
      "arn:aws:elasticloadbalancing:${local.here}:targetgroup/${var.name}-blue/*",
      "arn:aws:elasticloadbalancing:${local.here}:targetgroup/${var.name}-green/*",
    ]
  }

  statement {
    sid = "ReplaceAColour"
    actions = [
      "autoscaling:AttachLoadBalancerTargetGroups",
      "autoscaling:CompleteLifecycleAction",
      "autoscaling:CreateAutoScalingGroup",
      "autoscaling:CreateOrUpdateTags",
      "autoscaling:DeleteAutoScalingGroup",
      "autoscaling:DeleteLifecycleHook",
      "autoscaling:DeletePolicy",
      "autoscaling:DeleteTags",
      "autoscaling:DetachLoadBalancerTargetGroups",
      "autoscaling:PutLifecycleHook",
      "autoscaling:PutScalingPolicy",
      "autoscaling:RecordLifecycleActionHeartbeat",
      "autoscaling:ResumeProcesses",
      "autoscaling:SetInstanceProtection",
      "autoscaling:SuspendProcesses",
      "autoscaling:UpdateAutoScalingGroup",
    ]
    resources = [
      for colour in local.colours :
      "arn:aws:autoscaling:${local.here}:autoScalingGroup:*:autoScalingGroupName/${var.name}-${colour}"
    ]
  }

  statement {
    sid       = "RunAColoursTask"
    actions   = ["ecs:CreateService", "ecs:DeleteService", "ecs:TagResource", "ecs:UpdateService"]
    resources = [for colour in local.colours : "arn:aws:ecs:${local.here}:service/${var.name}-${colour}/*"]
  }

  statement {
    sid       = "DefineAColoursTask"
    actions   = ["ecs:RegisterTaskDefinition", "ecs:TagResource"]
    resources = [for colour in local.colours : "arn:aws:ecs:${local.here}:task-definition/${var.name}-${colour}:*"]
  }

  # Before a machine ends, ECS stops its task, which drains.
  statement {
    sid       = "DrainMachines"
    actions   = ["ecs:UpdateContainerInstancesState"]
    resources = [for colour in local.colours : "arn:aws:ecs:${local.here}:container-instance/${var.name}-${colour}/*"]
  }

  # Of machines, their disks and addresses, while they are made.
  statement {
    sid       = "TagMachines"
    actions   = ["ec2:CreateTags"]
    resources = [for kind in ["instance", "network-interface", "volume"] : "arn:aws:ec2:${local.here}:${kind}/*"]

    condition {
      test     = "StringEquals"
      variable = "ec2:CreateAction"
      values   = ["RunInstances"]
    }
  }

  # A template's id is random: the tag that every resource here carries tells ours.
  statement {
    sid       = "MakeLaunchTemplates"
    actions   = ["ec2:CreateLaunchTemplate", "ec2:CreateTags"]
    resources = ["arn:aws:ec2:${local.here}:launch-template/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/Project"
      values   = [var.name]
    }
  }

  statement {
    sid       = "ChangeLaunchTemplates"
    actions   = ["ec2:CreateLaunchTemplateVersion", "ec2:DeleteLaunchTemplate", "ec2:ModifyLaunchTemplate"]
    resources = ["arn:aws:ec2:${local.here}:launch-template/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/Project"
      values   = [var.name]
    }
  }

  # A group made from a launch template is checked as if its maker started the machines.
  statement {
    sid       = "StartMachines"
    actions   = ["ec2:RunInstances"]
    resources = ["arn:aws:ec2:${var.region}:*:*/*"]

    condition {
      test     = "ArnLike"
      variable = "ec2:LaunchTemplate"
      values   = ["arn:aws:ec2:${local.here}:launch-template/*"]
    }
  }

  statement {
    sid       = "PassTheMachinesRole"
    actions   = ["iam:PassRole"]
    resources = ["arn:aws:iam::${var.account_id}:role/${var.machine_role_name}"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ec2.amazonaws.com"]
    }
  }

  statement {
    sid       = "PassTheTasksRoles"
    actions   = ["iam:PassRole"]
    resources = [for role in var.task_role_names : "arn:aws:iam::${var.account_id}:role/${role}"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }

  statement {
    sid = "KeepTheJournal"
    actions = [
      "dynamodb:ConditionCheckItem",
      "dynamodb:DeleteItem",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:Query",
      "dynamodb:UpdateItem",
    ]
    resources = ["arn:aws:dynamodb:${local.here}:table/${var.name}-journal"]
  }

  statement {
    sid       = "TellTheTeam"
    actions   = ["sns:Publish"]
    resources = ["arn:aws:sns:${local.here}:${var.name}-alerts"]
  }

  statement {
    sid       = "EncryptWhatItTells"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = ["arn:aws:kms:*:${var.account_id}:key/*"]

    condition {
      test     = "ForAnyValue:StringEquals"
      variable = "kms:ResourceAliases"
      values   = ["alias/${var.name}-alerts", "alias/${var.bootstrap_name}-state"]
    }
  }

  statement {
    sid       = "ListTheState"
    actions   = ["s3:ListBucket"]
    resources = [local.state_bucket]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["${var.state_prefix}/*"]
    }
  }

  # The states of the colours only: the ground's has the AUTH token of Redis. The lock is an object
  # beside the state, so it can be deleted; the state cannot.
  statement {
    sid       = "WriteTheState"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = [for colour in local.colours : "${local.state_bucket}/${var.state_prefix}/${colour}.tfstate*"]
  }

  statement {
    sid       = "UnlockTheState"
    actions   = ["s3:DeleteObject"]
    resources = [for colour in local.colours : "${local.state_bucket}/${var.state_prefix}/${colour}.tfstate.tflock"]
  }
}

resource "aws_iam_role" "deployer" {
  name                 = "${var.name}-deployer-${var.region}"
  description          = "Runs isshoni deploy"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  max_session_duration = 14400
}

resource "aws_iam_role_policy" "look" {
  name   = "look"
  role   = aws_iam_role.deployer.id
  policy = data.aws_iam_policy_document.look.json
}

resource "aws_iam_role_policy" "deploy" {
  name   = "deploy"
  role   = aws_iam_role.deployer.id
  policy = data.aws_iam_policy_document.deploy.json
}
