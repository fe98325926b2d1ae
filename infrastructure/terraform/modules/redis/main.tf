resource "aws_elasticache_subnet_group" "this" {
  count = var.emulator ? 0 : 1

  name       = var.name
  subnet_ids = var.subnet_ids
}

# A secondary takes its parameters from the primary of its Global Datastore.
resource "aws_elasticache_parameter_group" "this" {
  count = var.secondary || var.emulator ? 0 : 1

  name        = "${var.name}-redis7"
  family      = "redis7"
  description = "Cluster mode; a full memory refuses writes, and throws nothing away"

  parameter {
    name  = "cluster-enabled"
    value = "yes"
  }

  # Any other policy throws acknowledged messages away.
  parameter {
    name  = "maxmemory-policy"
    value = "noeviction"
  }
}

resource "aws_elasticache_replication_group" "this" {
  count = var.emulator ? 0 : 1

  replication_group_id        = var.name
  description                 = "Sessions of ${var.name}"
  global_replication_group_id = var.global_datastore_id

  engine                  = var.secondary ? null : "redis"
  engine_version          = var.secondary ? null : "7.1"
  node_type               = var.secondary ? null : var.node_type
  parameter_group_name    = var.secondary ? null : aws_elasticache_parameter_group.this[0].name
  num_node_groups         = var.secondary ? null : var.shards
  replicas_per_node_group = var.replicas_per_shard
  port                    = var.port

  subnet_group_name  = aws_elasticache_subnet_group.this[0].name
  security_group_ids = [var.security_group_id]

  automatic_failover_enabled = true
  multi_az_enabled           = true

  auth_token                 = var.auth_token
  auth_token_update_strategy = "ROTATE"
  transit_encryption_enabled = true
  transit_encryption_mode    = var.secondary ? null : "required"
  at_rest_encryption_enabled = true

  snapshot_name             = var.snapshot_name
  snapshot_retention_limit  = var.snapshot_retention_days
  snapshot_window           = "03:00-04:00"
  maintenance_window        = "sun:04:30-sun:05:30"
  final_snapshot_identifier = var.secondary ? null : "${var.name}-final"
  notification_topic_arn    = var.alerts_topic_arn
  apply_immediately         = false

  lifecycle {
    # A restore names a snapshot once; forgetting it later must not create the group again.
    # A Global Datastore renames engine version and parameter group of its members.
    ignore_changes = [snapshot_name, engine_version, parameter_group_name]
  }
}
