data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = length(var.principal_arns) > 0 ? var.principal_arns : ["arn:aws:iam::${var.account_id}:root"]
    }
  }
}

data "aws_iam_policy_document" "failover" {
  # Most of these know no resources.
  statement {
    sid = "Look"
    actions = [
      "autoscaling:DescribeAutoScalingGroups",
      "autoscaling:DescribeScalingActivities",
      "cloudwatch:GetMetricData",
      "ec2:DescribeInstances",
      "ec2:DescribeSecurityGroupRules",
      "ecs:DescribeContainerInstances",
      "ecs:DescribeServices",
      "ecs:DescribeTasks",
      "ecs:ListContainerInstances",
      "ecs:ListTasks",
      "elasticache:DescribeGlobalReplicationGroups",
      "elasticache:DescribeReplicationGroups",
      "elasticloadbalancing:DescribeListeners",
      "elasticloadbalancing:DescribeTargetHealth",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "ReadWhatTheGroundsPublished"
    actions   = ["ssm:GetParameter"]
    resources = [for pair in setproduct(var.regions, ["engine", "regions"]) : "arn:aws:ssm:${pair[0]}:${var.account_id}:parameter/${var.name}/${pair[1]}"]
  }

  statement {
    sid       = "ReadTheAdminToken"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [for region in var.regions : "arn:aws:secretsmanager:${region}:${var.account_id}:secret:${var.backend_secret}-??????"]
  }

  # AWS puts five letters of its own before the name of a Global Datastore.
  statement {
    sid     = "PromoteRedis"
    actions = ["elasticache:FailoverGlobalReplicationGroup"]
    resources = concat(
      ["arn:aws:elasticache::${var.account_id}:globalreplicationgroup:?????-${var.name}"],
      [for region in var.regions : "arn:aws:elasticache:${region}:${var.account_id}:replicationgroup:${var.name}"],
    )
  }

  # A lost region's load balancer lets no client in until the region may write again.
  statement {
    sid     = "BlockALostRegion"
    actions = ["ec2:ModifySecurityGroupRules"]
    resources = [
      for pair in setproduct(var.regions, ["security-group", "security-group-rule"]) :
      "arn:aws:ec2:${pair[0]}:${var.account_id}:${pair[1]}/*"
    ]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/Project"
      values   = [var.name]
    }
  }

  # And the leases of deploys, so that none runs beside it.
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
    resources = [for pair in setproduct(var.regions, [var.journal_table, "${var.name}-journal"]) : "arn:aws:dynamodb:${pair[0]}:${var.account_id}:table/${pair[1]}"]
  }
}

# A health check has an id that AWS makes up, and no tag that a policy could ask for.
data "aws_iam_policy_document" "switch" {
  statement {
    sid       = "SendUsersElsewhere"
    actions   = ["route53:GetHealthCheck", "route53:UpdateHealthCheck"]
    resources = [aws_route53_health_check.switch.arn]
  }
}

resource "aws_iam_role" "failover" {
  name                 = "${var.name}-failover"
  description          = "Lets the other region serve"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  max_session_duration = 14400
}

resource "aws_iam_role_policy" "failover" {
  name   = "failover"
  role   = aws_iam_role.failover.id
  policy = data.aws_iam_policy_document.failover.json
}

resource "aws_iam_role_policy" "switch" {
  name   = "switch"
  role   = aws_iam_role.failover.id
  policy = data.aws_iam_policy_document.switch.json
}
