output "isshoni" {
  description = "What the deploy engine needs to know of the region that serves users."
  value       = module.primary.isshoni
}

output "isshoni_standby" {
  description = "The same of the region that takes over; an environment of its own to the engine."
  value       = module.standby.isshoni
}
