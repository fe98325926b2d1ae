output "dns_name" {
  description = "Name of the load balancer."
  value       = aws_lb.this.dns_name
}

output "zone_id" {
  description = "Hosted zone of that name, for alias records."
  value       = aws_lb.this.zone_id
}

output "arn_suffix" {
  description = "The load balancer in CloudWatch's dimensions."
  value       = aws_lb.this.arn_suffix
}

output "listener_arn" {
  description = "HTTPS listener, whose default action holds the weights."
  value       = aws_lb_listener.https.arn
}

output "target_rule_arns" {
  description = "Rule that sends ?target=COLOUR to its colour, by colour."
  value       = { for colour, rule in aws_lb_listener_rule.target : colour => rule.arn }
}

output "target_group_arns" {
  description = "Target group, by colour."
  value       = { for colour, group in local.target_groups : colour => group.arn }
}

output "target_group_arn_suffixes" {
  description = "Target group in CloudWatch's dimensions, by colour."
  value       = { for colour, group in local.target_groups : colour => group.arn_suffix }
}
