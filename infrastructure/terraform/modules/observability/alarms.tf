# CloudWatch has the load balancer's figures by the minute: too late to drive a rollback, which the
# engine does on the backends' own figures. These are the backstop, and notify operators.

locals {
  # Above which share of answers are 5xx, in percent, and for how many minutes.
  error_alarms = {
    "5xx-over-target" = { above_pct = 0.1, minutes = 5 }
    "5xx-critical"    = { above_pct = 1, minutes = 1 }
  }
  redis_alarms = {
    memory = {
      metric    = "DatabaseMemoryUsagePercentage"
      above     = 80
      minutes   = 5
      statement = "Redis is filling up; when it is full, writes are refused"
    }
    replication-lag = {
      metric    = "ReplicationLag"
      above     = 2
      minutes   = 3
      statement = "A replica is seconds behind: a failover now would cost those seconds"
    }
  }
  redis_node_alarms = merge([
    for kind, alarm in local.redis_alarms : {
      for node in var.redis_node_ids : "redis-${kind}-${node}" => merge(alarm, { node = node })
    }
  ]...)
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each = local.error_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "Over ${each.value.above_pct} % of answers are 5xx"
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above_pct
  evaluation_periods  = each.value.minutes
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]

  # What the load balancer answered by itself never reached a target and is not among `requests`.
  metric_query {
    id          = "errors_pct"
    label       = "5xx, % of answers"
    expression  = "IF(FILL(requests, 0) + FILL(unserved, 0) > 0, 100 * (FILL(failed, 0) + FILL(unserved, 0)) / (FILL(requests, 0) + FILL(unserved, 0)), 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = {
      requests = "RequestCount"
      failed   = "HTTPCode_Target_5XX_Count"
      unserved = "HTTPCode_ELB_5XX_Count"
    }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value
        stat        = "Sum"
        period      = 60
        dimensions  = { LoadBalancer = var.load_balancer }
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "unhealthy_targets" {
  for_each = toset(["blue", "green"])

  alarm_name          = "${var.name}-unhealthy-targets-${each.key}"
  alarm_description   = "A target of ${each.key} fails its health check"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "UnHealthyHostCount"
  statistic           = "Minimum"
  period              = 60
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching" # an idle colour has no targets
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]

  dimensions = {
    LoadBalancer = var.load_balancer
    TargetGroup  = var.target_groups[each.key]
  }
}

resource "aws_cloudwatch_metric_alarm" "redis" {
  for_each = local.redis_node_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.statement
  namespace           = "AWS/ElastiCache"
  metric_name         = each.value.metric
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = each.value.minutes
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  treat_missing_data  = "notBreaching" # a primary has no replication lag
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]

  dimensions = { CacheClusterId = each.value.node }
}

resource "aws_cloudwatch_metric_alarm" "no_connections" {
  count = var.expects_connections ? 1 : 0

  alarm_name          = "${var.name}-no-connections"
  alarm_description   = "No client is connected to either slot"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = 3
  treat_missing_data  = "breaching" # no backend reports: that is the worst of it
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]

  metric_query {
    id          = "connections"
    label       = "ActiveWebSocketConnections, both colours"
    expression  = "FILL(blue, 0) + FILL(green, 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = toset(["blue", "green"])

    content {
      id = metric_query.key

      metric {
        namespace   = var.metrics_namespace
        metric_name = "ActiveWebSocketConnections"
        stat        = "Sum"
        period      = 60
        dimensions  = { Colour = metric_query.key }
      }
    }
  }
}

# The one that may page an operator at night.
resource "aws_cloudwatch_composite_alarm" "down" {
  count = var.emulator ? 0 : 1

  alarm_name        = "${var.name}-down"
  alarm_description = "People are being failed: many errors, or nobody connected although they should be"
  alarm_actions     = [aws_sns_topic.alerts.arn]
  ok_actions        = [aws_sns_topic.alerts.arn]
  alarm_rule = join(" OR ", [
    for alarm in concat(
      [aws_cloudwatch_metric_alarm.errors["5xx-critical"]],
      aws_cloudwatch_metric_alarm.no_connections,
    ) : "ALARM(\"${alarm.alarm_name}\")"
  ])
}
