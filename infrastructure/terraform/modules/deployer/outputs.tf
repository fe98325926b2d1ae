output "role_arn" {
  description = "Role to deploy with."
  value       = aws_iam_role.deployer.arn
}
