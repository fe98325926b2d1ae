output "isshoni" {
  description = "What the deploy engine needs to know of this region."
  value       = module.region.isshoni
}

output "runner" {
  description = "The machine that deploys in this region; null: there is none."
  value       = module.region.runner
}

output "global_datastore_id" {
  description = "For the second region's `global_datastore_id`."
  value       = one(aws_elasticache_global_replication_group.this[*].global_replication_group_id)
}

output "network" {
  description = "For the variable of this region in `peering`."
  value       = module.region.network
}
