output "autoscaling_group_name" {
  description = "Auto Scaling group; null: the colour has no machines."
  value       = one(aws_autoscaling_group.this[*].name)
}
