output "isshoni" {
  description = "What a failover needs to know besides the two regions; it reads this from the parameter /NAME/regions."
  value       = local.shared
}
