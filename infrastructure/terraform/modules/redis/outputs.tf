output "endpoint" {
  description = "HOST:PORT of the cluster."
  value       = var.emulator ? "redis.invalid:${var.port}" : "${aws_elasticache_replication_group.this[0].configuration_endpoint_address}:${var.port}"
}

output "replication_group_id" {
  description = "The replication group; null where there is none."
  value       = var.emulator ? null : aws_elasticache_replication_group.this[0].id
}

# Their names follow from the group's: known before it is made, so that alarms can be planned.
output "node_ids" {
  description = "Every node of the cluster, as CloudWatch calls it."
  value = flatten([
    for shard in range(1, var.shards + 1) : [
      for node in range(1, var.replicas_per_shard + 2) : format("%s-%04d-%03d", var.name, shard, node)
    ]
  ])
}
