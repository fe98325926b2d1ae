# CloudWatch has the load balancer's figures by the minute: too late to drive a rollback, which the
# engine does on the backends' own figures. These are the backstop, and notify operators.

locals {
  # Above which share of answers are 5xx, in percent, and for how many minutes.
  error_alarms = {
    "5xx-over-target" = { above_pct = 0.1, minutes = 5 }
    "5xx-critical"    = { above_pct = 1, minutes = 1 }
  }
  # Of one bad answer of ten in a quiet minute a percentage says nothing.
  least_answers = 20
  least_errors  = 3

  redis_alarms = merge(local.own_redis_alarms, var.paired ? local.paired_redis_alarms : {})
  # Only nodes of the region that follows report it, so it is on those of both.
  paired_redis_alarms = {
    global-lag = {
      metric    = "GlobalDatastoreReplicationLag"
      stat      = "Maximum"
      above     = 5
      minutes   = 3
      statement = "Redis of this region is seconds behind the other one's: an emergency failover now would cost those seconds"
    }
  }
  own_redis_alarms = {
    memory = {
      metric    = "DatabaseMemoryUsagePercentage"
      stat      = "Maximum"
      above     = 80
      minutes   = 5
      statement = "Redis is filling up; when it is full, writes are refused"
    }
    # Of the one core that runs commands; CPUUtilization is of all cores, and stays low.
    engine-cpu = {
      metric    = "EngineCPUUtilization"
      stat      = "Average"
      above     = 80
      minutes   = 5
      statement = "Redis runs all commands on one core, which is nearly busy: each message waits longer"
    }
    # A node may exceed its bandwidth for minutes, on credit; what comes after that is dropped.
    network-in = {
      metric    = "NetworkBandwidthInAllowanceExceeded"
      stat      = "Sum"
      above     = 0
      minutes   = 3
      statement = "The node type's bandwidth is used up: packets to Redis are held back or dropped"
    }
    network-out = {
      metric    = "NetworkBandwidthOutAllowanceExceeded"
      stat      = "Sum"
      above     = 0
      minutes   = 3
      statement = "The node type's bandwidth is used up: packets from Redis are held back or dropped"
    }
    replication-lag = {
      metric    = "ReplicationLag"
      stat      = "Maximum"
      above     = 2
      minutes   = 3
      statement = "A replica is seconds behind: a failover now would cost those seconds"
    }
    # A node takes 65,000; a process of the backend needs some dozen.
    connections = {
      metric    = "CurrConnections"
      stat      = "Maximum"
      above     = 50000
      minutes   = 3
      statement = "Redis will refuse connections at 65,000: a client of it opens them and does not close them"
    }
  }
  # Processes that stand by are not ready, and have no clients: that is no incident.
  standby_metrics = {
    for colour in ["blue", "green"] : colour => {
      namespace   = var.metrics_namespace
      metric_name = "StandbyProcesses"
      stat        = "Sum"
      dimensions  = { Environment = var.name, Colour = colour }
    } if var.paired
  }
  # What an alarm about failures adds to its condition.
  serves    = var.paired ? " AND FILL(blue_stands_by, 0) + FILL(green_stands_by, 0) == 0" : ""
  stands_by = "FILL(blue_stands_by, 0) + FILL(green_stands_by, 0) > 0"
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
    id         = "answers"
    label      = "Answers"
    expression = "FILL(requests, 0) + FILL(unserved, 0)"
  }

  metric_query {
    id         = "bad"
    label      = "5xx"
    expression = "FILL(failed, 0) + FILL(unserved, 0)"
  }

  metric_query {
    id          = "errors_pct"
    label       = "5xx, % of answers"
    expression  = "IF(answers >= ${local.least_answers} AND bad >= ${local.least_errors}${local.serves}, 100 * bad / answers, 0)"
    return_data = true
  }

  # A standby answers 503 to a client that comes too early: that is how it sends clients to the other region.
  dynamic "metric_query" {
    for_each = merge(
      {
        for id, metric in {
          requests = "RequestCount"
          failed   = "HTTPCode_Target_5XX_Count"
          unserved = "HTTPCode_ELB_5XX_Count"
          } : id => {
          namespace   = "AWS/ApplicationELB"
          metric_name = metric
          dimensions  = { LoadBalancer = var.load_balancer }
        }
      },
      { for colour, metric in local.standby_metrics : "${colour}_stands_by" => metric },
    )

    content {
      id = metric_query.key

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.metric_name
        stat        = "Sum"
        period      = 60
        dimensions  = metric_query.value.dimensions
      }
    }
  }
}

# Each metric of these is about one colour, by which the engine knows that they may roll a deploy back.
resource "aws_cloudwatch_metric_alarm" "colour_errors" {
  for_each = toset(["blue", "green"])

  alarm_name          = "${var.name}-5xx-${each.key}"
  alarm_description   = "Over 1 % of what ${each.key} is asked fails; while a deploy to it runs, it is rolled back"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 1
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]

  metric_query {
    id         = "answers"
    label      = "Requests and refused connections"
    expression = "FILL(requests, 0) + FILL(refused, 0)"
  }

  metric_query {
    id         = "bad"
    label      = "5xx and refused connections"
    expression = "FILL(failed, 0) + FILL(refused, 0)"
  }

  metric_query {
    id          = "errors_pct"
    label       = "Failed, % of requests"
    expression  = "IF(answers >= ${local.least_answers} AND bad >= ${local.least_errors}${var.paired ? " AND FILL(stands_by, 0) == 0" : ""}, 100 * bad / answers, 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = merge(
      {
        for id, metric in {
          requests = "RequestCount"
          failed   = "HTTPCode_Target_5XX_Count"
          refused  = "TargetConnectionErrorCount"
          } : id => {
          namespace   = "AWS/ApplicationELB"
          metric_name = metric
          dimensions  = { LoadBalancer = var.load_balancer, TargetGroup = var.target_groups[each.key] }
        }
      },
      { for colour, metric in local.standby_metrics : "stands_by" => metric if colour == each.key },
    )

    content {
      id = metric_query.key

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.metric_name
        stat        = "Sum"
        period      = 60
        dimensions  = metric_query.value.dimensions
      }
    }
  }
}

# By share: one sick machine of ten is no reason to roll back.
resource "aws_cloudwatch_metric_alarm" "unhealthy_targets" {
  for_each = toset(["blue", "green"])

  alarm_name          = "${var.name}-unhealthy-targets-${each.key}"
  alarm_description   = "Over 40 % of the targets of ${each.key} fail their health check; while a deploy to it runs, it is rolled back"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 40
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching" # an idle colour has no targets
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]

  metric_query {
    id          = "unhealthy_pct"
    label       = "Unhealthy, % of targets"
    expression  = "IF(FILL(unhealthy, 0) + FILL(healthy, 0) > 0${var.paired ? " AND FILL(stands_by, 0) == 0" : ""}, 100 * FILL(unhealthy, 0) / (FILL(unhealthy, 0) + FILL(healthy, 0)), 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = merge(
      {
        for id, metric in { unhealthy = "UnHealthyHostCount", healthy = "HealthyHostCount" } : id => {
          namespace                   = "AWS/ApplicationELB"
          metric_name                 = metric
          stat                        = "Average"
          dimensions                  = { LoadBalancer = var.load_balancer, TargetGroup = var.target_groups[each.key] }
        }
      },
      { for colour, metric in local.standby_metrics : "stands_by" => metric if colour == each.key },
    )

    content {
      id = metric_query.key

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.metric_name
        stat        = metric_query.value.stat
        period      = 60
        dimensions  = metric_query.value.dimensions
      }
    }
  }
}

# About both colours, so it rolls nothing back.
resource "aws_cloudwatch_metric_alarm" "sick_target" {
  alarm_name          = "${var.name}-sick-target"
  alarm_description   = "A target has failed its health check for ten minutes"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 10
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]

  metric_query {
    id          = "sick"
    label       = "Unhealthy targets, both colours"
    expression  = var.paired ? "IF(${local.stands_by}, 0, FILL(blue, 0) + FILL(green, 0))" : "FILL(blue, 0) + FILL(green, 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = merge(
      {
        for colour, group in var.target_groups : colour => {
          namespace   = "AWS/ApplicationELB"
          metric_name = "UnHealthyHostCount"
          stat        = "Minimum"
          dimensions  = { LoadBalancer = var.load_balancer, TargetGroup = group }
        }
      },
      { for colour, metric in local.standby_metrics : "${colour}_stands_by" => metric },
    )

    content {
      id = metric_query.key

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.metric_name
        stat        = metric_query.value.stat
        period      = 60
        dimensions  = metric_query.value.dimensions
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "redis" {
  for_each = local.redis_node_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.statement
  namespace           = "AWS/ElastiCache"
  metric_name         = each.value.metric
  statistic           = each.value.stat
  period              = 60
  evaluation_periods  = each.value.minutes
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  treat_missing_data  = "notBreaching" # a primary has no replication lag
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]

  dimensions = { CacheClusterId = each.value.node }
}

# A replica was missing or late, so a write was acknowledged, or refused, without it (docs/redis.md, WAIT).
resource "aws_cloudwatch_metric_alarm" "short_writes" {
  alarm_name          = "${var.name}-writes-short-of-replicas"
  alarm_description   = "Writes did not reach the replicas of Redis that they wait for: losing a primary now would cost them"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]

  metric_query {
    id          = "short"
    label       = "WritesShortOfReplicas, both colours"
    expression  = "FILL(blue, 0) + FILL(green, 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = toset(["blue", "green"])

    content {
      id = metric_query.key

      metric {
        namespace   = var.metrics_namespace
        metric_name = "WritesShortOfReplicas"
        stat        = "Sum"
        period      = 60
        dimensions  = { Environment = var.name, Colour = metric_query.key }
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "no_connections" {
  count = var.expects_connections ? 1 : 0

  alarm_name          = "${var.name}-no-connections"
  alarm_description   = var.paired ? "No client is connected to either slot, and no process stands by" : "No client is connected to either slot"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = 3
  treat_missing_data  = "breaching" # no backend reports: that is the worst of it
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]

  metric_query {
    id          = "connections"
    label       = var.paired ? "ActiveWebSocketConnections, both colours; 1 in a standby" : "ActiveWebSocketConnections, both colours"
    expression  = var.paired ? "IF(${local.stands_by}, 1, FILL(blue, 0) + FILL(green, 0))" : "FILL(blue, 0) + FILL(green, 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = merge(
      { for colour in ["blue", "green"] : colour => { colour = colour, metric = "ActiveWebSocketConnections" } },
      { for colour in ["blue", "green"] : "${colour}_stands_by" => { colour = colour, metric = "StandbyProcesses" } if var.paired },
    )

    content {
      id = metric_query.key

      metric {
        namespace   = var.metrics_namespace
        metric_name = metric_query.value.metric
        stat        = "Sum"
        period      = 60
        dimensions  = { Environment = var.name, Colour = metric_query.value.colour }
      }
    }
  }
}

# The one that may page an operator at night.
resource "aws_cloudwatch_composite_alarm" "down" {
  count = var.emulator ? 0 : 1

  alarm_name        = "${var.name}-down"
  alarm_description = "Users are being failed: many errors, or no client connected although some should be"
  alarm_actions     = [aws_sns_topic.alerts.arn]
  ok_actions        = [aws_sns_topic.alerts.arn]
  alarm_rule = join(" OR ", [
    for alarm in concat(
      [aws_cloudwatch_metric_alarm.errors["5xx-critical"]],
      aws_cloudwatch_metric_alarm.no_connections,
    ) : "ALARM(\"${alarm.alarm_name}\")"
  ])
}
