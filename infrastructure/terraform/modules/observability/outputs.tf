output "log_groups" {
  description = "CloudWatch log group, by colour."
  value       = { for colour, group in aws_cloudwatch_log_group.colour : colour => group.name }
}

output "sns_topic_arn" {
  description = "Topic that alarms and the engine tell the team through."
  value       = aws_sns_topic.alerts.arn
}

output "redis_topic_arn" {
  description = "Topic for ElastiCache's own notifications, which it sends to no encrypted one."
  value       = aws_sns_topic.redis.arn
}

output "alarm_names" {
  description = "Every alarm."
  value = sort(concat(
    [for alarm in aws_cloudwatch_metric_alarm.errors : alarm.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.colour_errors : alarm.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.unhealthy_targets : alarm.alarm_name],
    [aws_cloudwatch_metric_alarm.sick_target.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.redis : alarm.alarm_name],
    [aws_cloudwatch_metric_alarm.short_writes.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.no_connections : alarm.alarm_name],
    [for alarm in aws_cloudwatch_composite_alarm.down : alarm.alarm_name],
  ))
}

output "dashboard_url" {
  description = "The dashboard, in the console."
  value       = "https://${var.region}.console.aws.amazon.com/cloudwatch/home?region=${var.region}#dashboards:name=${aws_cloudwatch_dashboard.this.dashboard_name}"
}
