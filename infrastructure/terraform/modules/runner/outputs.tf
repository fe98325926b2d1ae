output "role_arn" {
  description = "Role of the machine, which assumes the deployer's."
  value       = aws_iam_role.runner.arn
}

output "instance_id" {
  description = "The machine: `aws ssm start-session --target` opens a shell on it."
  value       = aws_instance.runner.id
}

output "document" {
  description = "SSM document that deploys a version."
  value       = aws_ssm_document.deploy.name
}
