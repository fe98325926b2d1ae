resource "aws_elasticache_subnet_group" "this" {
  count = var.emulator ? 0 : 1

  name       = var.name
  subnet_ids = var.subnet_ids
}

locals {
  # Both are made, so that the parameters of the other engine are there before it is switched to.
  families = { redis = "redis7", valkey = "valkey8" }
  versions = { redis = "7.1", valkey = "8.0" }
}

# A secondary takes its parameters from the primary of its Global Datastore.
resource "aws_elasticache_parameter_group" "this" {
  for_each = var.secondary || var.emulator ? {} : local.families

  name        = "${var.name}-${each.value}"
  family      = each.value
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

moved {
  from = aws_elasticache_parameter_group.this[0]
  to   = aws_elasticache_parameter_group.this["redis"]
}

# A snapshot's name is taken for ever: the next environment of this name needs another.
resource "terraform_data" "final_snapshot" {
  input = "${var.name}-final-${formatdate("YYYYMMDDhhmmss", plantimestamp())}"
  # What replaces the group makes a final snapshot of the one before.
  triggers_replace = [var.name, var.port]

  lifecycle {
    ignore_changes = [input]
  }
}

resource "aws_elasticache_replication_group" "this" {
  count = var.emulator ? 0 : 1

  replication_group_id        = var.name
  description                 = "Sessions of ${var.name}"
  global_replication_group_id = var.global_datastore_id

  engine                  = var.secondary ? null : var.engine
  engine_version          = var.secondary ? null : coalesce(var.engine_version, local.versions[var.engine])
  node_type               = var.secondary ? null : var.node_type
  parameter_group_name    = var.secondary ? null : aws_elasticache_parameter_group.this[var.engine].name
  num_node_groups         = var.secondary ? null : var.shards
  replicas_per_node_group = var.replicas_per_shard
  port                    = var.port

  subnet_group_name  = aws_elasticache_subnet_group.this[0].name
  security_group_ids = [var.security_group_id]

  automatic_failover_enabled = true
  multi_az_enabled           = true

  # A secondary has these from the primary; the API takes none of them beside a Global Datastore.
  auth_token                 = var.secondary ? null : var.auth_token
  auth_token_update_strategy = var.secondary ? null : "ROTATE"
  transit_encryption_enabled = var.secondary ? null : true
  transit_encryption_mode    = var.secondary ? null : "required"
  at_rest_encryption_enabled = var.secondary ? null : true

  snapshot_name             = var.secondary ? null : var.snapshot_name
  snapshot_retention_limit  = var.snapshot_retention_days
  snapshot_window           = "03:00-04:00"
  maintenance_window        = "sun:04:30-sun:05:30"
  final_snapshot_identifier = var.secondary ? null : terraform_data.final_snapshot.output
  notification_topic_arn    = var.alerts_topic_arn
  apply_immediately         = false

  lifecycle {
    # A restore names a snapshot once; forgetting it later must not create the group again.
    # A Global Datastore renames engine version and parameter group of its members.
    ignore_changes = [snapshot_name, engine_version, parameter_group_name]
  }
}
