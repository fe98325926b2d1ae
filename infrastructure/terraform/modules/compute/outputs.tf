output "autoscaling_group_names" {
  description = "Auto Scaling group, by colour; the name holds whether or not the group exists."
  value       = { blue = "${var.name}-blue", green = "${var.name}-green" }
}
