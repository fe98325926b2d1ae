# What a workflow on GitHub may do, without a key that could leak: ask the runner for a deploy, and read how it
# ended. GitHub signs who the workflow is (OIDC); only one environment of one repository is let in.

locals {
  issuer = "token.actions.githubusercontent.com"
}

# One for each account: the second environment in an account finds that of the first.
resource "aws_iam_openid_connect_provider" "github" {
  count = var.create_provider ? 1 : 0

  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = ["arn:aws:iam::${var.account_id}:oidc-provider/${local.issuer}"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }

    # Whole, not a pattern: a pattern that ends in * lets every branch and pull request in.
    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = ["repo:${var.repository}:environment:${var.environment}"]
    }
  }
}

data "aws_iam_policy_document" "ask" {
  statement {
    sid       = "AskForADeploy"
    actions   = ["ssm:SendCommand"]
    resources = ["arn:aws:ssm:${var.region}:${var.account_id}:document/${var.document}"]
  }

  statement {
    sid       = "AskTheRunner"
    actions   = ["ssm:SendCommand"]
    resources = ["arn:aws:ec2:${var.region}:${var.account_id}:instance/*"]

    condition {
      test     = "StringEquals"
      variable = "ssm:resourceTag/Name"
      values   = ["${var.name}-runner"]
    }
  }

  # Knows no resources.
  statement {
    sid       = "ReadHowItEnded"
    actions   = ["ssm:GetCommandInvocation"]
    resources = ["*"]
  }
}

resource "aws_iam_role" "github" {
  name                 = "${var.name}-github-${var.region}"
  description          = "Workflow of ${var.repository} that deploys"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  max_session_duration = 14400

  depends_on = [aws_iam_openid_connect_provider.github]
}

resource "aws_iam_role_policy" "ask" {
  name   = "ask"
  role   = aws_iam_role.github.id
  policy = data.aws_iam_policy_document.ask.json
}
