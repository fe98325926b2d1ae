output "load_balancer_group_id" {
  description = "Security group of the load balancer."
  value       = aws_security_group.load_balancer.id
}

output "backend_group_id" {
  description = "Security group of the backends."
  value       = aws_security_group.backend.id
}

output "redis_group_id" {
  description = "Security group of Redis."
  value       = aws_security_group.redis.id
}

output "operator_group_id" {
  description = "Security group for the machine that runs the deploy engine."
  value       = aws_security_group.operator.id
}
