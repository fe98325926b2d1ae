output "autoscaling_group_name" {
  description = "Auto Scaling group; null: the colour has no machines."
  value       = module.colour.autoscaling_group_name
}
