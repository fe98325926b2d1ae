output "instance_profile_arn" {
  description = "Instance profile of the machines."
  value       = aws_iam_instance_profile.machine.arn
}

output "machine_role_name" {
  description = "Role of the machines; the deployer passes it on to them."
  value       = aws_iam_role.machine.name
}

output "execution_role_arn" {
  description = "Role with which ECS starts a backend."
  value       = aws_iam_role.execution.arn
}

output "task_role_arn" {
  description = "Role of the backends."
  value       = aws_iam_role.task.arn
}

output "task_role_names" {
  description = "Both roles of a task; the deployer passes them on to ECS."
  value       = [aws_iam_role.execution.name, aws_iam_role.task.name]
}
