output "role_arn" {
  description = "Role that the workflow assumes."
  value       = aws_iam_role.github.arn
}
