output "isshoni" {
  description = "What the deploy engine needs to know of the region; it reads this from the parameter /NAME/engine."
  value       = local.engine
}

output "redis_replication_group_id" {
  description = "For a Global Datastore to grow from."
  value       = module.redis.replication_group_id
}
