# The region that Redis was made in. After a failover it may be the standby.

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { Project = var.name, Environment = "multi-region", ManagedBy = "terraform", Region = var.region }
  }
}

data "aws_secretsmanager_secret_version" "redis" {
  secret_id = "${var.name}/redis"
}

module "region" {
  source = "../../../modules/region"

  name                 = var.name
  account_id           = var.account_id
  region               = var.region
  zones                = ["a", "b", "c"]
  cidr                 = "10.30.0.0/16"
  nat_gateway_per_zone = true
  domain_name          = var.domain_name
  hosted_zone_id       = var.hosted_zone_id
  alternatives         = ["https://${var.other_region}.${var.domain_name}"]
  origins              = var.origins
  embed_hosts          = var.embed_hosts

  image_repository         = "${var.account_id}.dkr.ecr.${var.region}.amazonaws.com/${coalesce(var.bootstrap_name, var.name)}"
  target_group             = var.target_group
  instances_per_colour     = var.instances_per_colour
  max_instances_per_colour = var.max_instances_per_colour
  scaling                  = var.scaling
  instance_type            = var.instance_type

  bootstrap_name = var.bootstrap_name
  architecture   = var.architecture
  web_acl_arn    = var.web_acl_arn

  # One shard: which region writes is a record in Redis, and it is ordered only with the writes of its own shard.
  redis = {
    # The provider makes no secondary that follows Valkey.
    engine                  = "redis"
    wait                    = var.redis_wait
    node_type               = "cache.r7g.large"
    shards                  = 1
    replicas_per_shard      = 2
    snapshot_retention_days = 7
    snapshot_name           = var.redis_snapshot_name
  }
  redis_auth_token = data.aws_secretsmanager_secret_version.redis.secret_string
  # The global part makes both, and copies them to the second region.
  redis_secret   = "${var.name}/redis"
  backend_secret = "${var.name}/backend"
  sessions       = var.sessions

  log_retention_days      = 90
  alert_emails            = var.alert_emails
  expects_connections     = true
  deployer_principal_arns = var.deployer_principal_arns
  runner                  = var.runner
  deletion_protection     = true
  state_prefix            = "multi-region/first"
  emulator                = var.emulator
}

# Writes of this region appear in the other within a second or so; what had not come yet when this one was
# lost, clients hand back (docs/protocol.md, clients as replicas).
resource "aws_elasticache_global_replication_group" "this" {
  count = var.emulator ? 0 : 1

  global_replication_group_id_suffix = var.name
  primary_replication_group_id       = module.region.redis_replication_group_id

  # A failover makes the other one the primary; no apply takes that back.
  lifecycle {
    ignore_changes = [primary_replication_group_id]
  }
}
