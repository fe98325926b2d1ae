output "backend_secret" {
  description = "Name of the secret with the environment variables of the backends."
  value       = aws_secretsmanager_secret.backend.name
}

output "redis_secret" {
  description = "Name of the secret with the AUTH token of Redis."
  value       = aws_secretsmanager_secret.redis.name
}

output "redis_auth_token" {
  description = "The AUTH token itself, for the replication group."
  value       = data.aws_secretsmanager_secret_version.redis.secret_string
  sensitive   = true
}
