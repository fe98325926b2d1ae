# What ElastiCache says by itself comes in two ways, and neither carries all of it.

# Failed changes, snapshots and limits are events.
resource "aws_cloudwatch_event_rule" "redis" {
  name        = "${var.name}-redis-events"
  description = "ElastiCache failed at something, or is near a limit"

  event_pattern = jsonencode({
    source = ["aws.elasticache"]
    detail-type = [
      "Cache Creation Failed",
      "Cache Limit Approaching",
      "Cache Update Failed",
      "Snapshot Copy Failed",
      "Snapshot Creation Failed",
      "Snapshot Export Failed",
    ]
  })
}

resource "aws_cloudwatch_event_target" "redis" {
  rule = aws_cloudwatch_event_rule.redis.name
  arn  = aws_sns_topic.alerts.arn
}

# Failovers and replaced nodes of a cluster of nodes are notifications, which ElastiCache sends to a topic
# that is not encrypted, or to none. They name nodes; no user's data is in them.
resource "aws_sns_topic" "redis" {
  name = "${var.name}-redis"
}

data "aws_iam_policy_document" "redis_topic" {
  statement {
    sid       = "ElastiCachePublishes"
    actions   = ["sns:Publish"]
    resources = ["arn:aws:sns:${var.region}:${var.account_id}:${var.name}-redis"]

    principals {
      type        = "Service"
      identifiers = ["elasticache.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }

  # ElastiCache may publish in the name of the account, as it does to a topic without a policy.
  statement {
    sid       = "TheAccountPublishes"
    actions   = ["sns:Publish"]
    resources = ["arn:aws:sns:${var.region}:${var.account_id}:${var.name}-redis"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceOwner"
      values   = [var.account_id]
    }
  }
}

resource "aws_sns_topic_policy" "redis" {
  arn    = aws_sns_topic.redis.arn
  policy = data.aws_iam_policy_document.redis_topic.json
}

resource "aws_sns_topic_subscription" "redis_email" {
  for_each = toset(var.alert_emails)

  topic_arn = aws_sns_topic.redis.arn
  protocol  = "email"
  endpoint  = each.key
}
