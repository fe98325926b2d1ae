output "instance_profile_arn" {
  description = "Instance profile of the backends."
  value       = aws_iam_instance_profile.backend.arn
}

output "backend_role_name" {
  description = "Role of the backends; the deployer passes it on to their machines."
  value       = aws_iam_role.backend.name
}
