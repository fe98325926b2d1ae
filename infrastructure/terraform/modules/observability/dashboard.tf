locals {
  colours = { blue = "#1f77b4", green = "#2ca02c" }

  # Title, metrics and statistic of each widget, two to a row.
  widgets = [
    {
      title   = "ActiveWebSocketConnections"
      stat    = "Sum"
      metrics = [for colour, hue in local.colours : [var.metrics_namespace, "ActiveWebSocketConnections", "Environment", var.name, "Colour", colour, { color = hue }]]
    },
    {
      title = "Requests by colour"
      stat  = "Sum"
      metrics = [
        for colour, hue in local.colours :
        ["AWS/ApplicationELB", "RequestCount", "TargetGroup", var.target_groups[colour], "LoadBalancer", var.load_balancer, { color = hue }]
      ]
    },
    {
      title = "5xx"
      stat  = "Sum"
      metrics = [
        for metric in ["HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count", "TargetConnectionErrorCount"] :
        ["AWS/ApplicationELB", metric, "LoadBalancer", var.load_balancer]
      ]
    },
    {
      title = "Targets"
      stat  = "Minimum"
      metrics = [
        for pair in setproduct(["HealthyHostCount", "UnHealthyHostCount"], keys(local.colours)) :
        ["AWS/ApplicationELB", pair[0], "TargetGroup", var.target_groups[pair[1]], "LoadBalancer", var.load_balancer, { label = "${pair[0]} ${pair[1]}" }]
      ]
    },
    {
      title   = "Redis memory, %"
      stat    = "Maximum"
      metrics = [for node in var.redis_node_ids : ["AWS/ElastiCache", "DatabaseMemoryUsagePercentage", "CacheClusterId", node]]
    },
    {
      title   = "Redis engine CPU, %"
      stat    = "Average"
      metrics = [for node in var.redis_node_ids : ["AWS/ElastiCache", "EngineCPUUtilization", "CacheClusterId", node]]
    },
    {
      title   = "Redis replication lag, seconds"
      stat    = "Maximum"
      metrics = [for node in var.redis_node_ids : ["AWS/ElastiCache", "ReplicationLag", "CacheClusterId", node]]
    },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  # All regions of an account share the names of dashboards.
  dashboard_name = var.paired ? "${var.name}-${var.region}" : var.name

  dashboard_body = jsonencode({
    widgets = [
      for index, widget in local.widgets : {
        type   = "metric"
        x      = index % 2 * 12
        y      = floor(index / 2) * 6
        width  = 12
        height = 6
        properties = {
          title   = widget.title
          region  = var.region
          stat    = widget.stat
          period  = 60
          metrics = widget.metrics
        }
      }
    ]
  })
}
