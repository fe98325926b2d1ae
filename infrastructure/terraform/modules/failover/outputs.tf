output "health_check_id" {
  description = "The switch: inverted, users are sent to the second region."
  value       = aws_route53_health_check.switch.id
}

output "role_arn" {
  description = "Role to fail over with."
  value       = aws_iam_role.failover.arn
}
