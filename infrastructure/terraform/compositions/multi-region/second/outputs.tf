output "isshoni" {
  description = "What the deploy engine needs to know of this region."
  value       = module.region.isshoni
}

output "runner" {
  description = "The machine that deploys in this region; null: there is none."
  value       = module.region.runner
}

output "network" {
  description = "For the variable of this region in `peering`."
  value       = module.region.network
}
