provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { Project = var.name, Environment = "multi-region", ManagedBy = "terraform" }
  }
}

provider "aws" {
  alias               = "standby"
  region              = var.standby_region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { Project = var.name, Environment = "multi-region", ManagedBy = "terraform" }
  }
}

module "secrets" {
  source = "../../modules/secrets"

  name                     = var.name
  redis_auth_token_version = var.redis_auth_token_version
  recovery_window_days     = 30
  replica_regions          = [var.standby_region]
}

module "primary" {
  source = "../../modules/region"

  name                 = var.name
  account_id           = var.account_id
  region               = var.region
  zones                = ["a", "b", "c"]
  cidr                 = "10.30.0.0/16"
  nat_gateway_per_zone = true
  domain_name          = var.domain_name
  hosted_zone_id       = var.hosted_zone_id
  failover             = "PRIMARY"

  image_repository     = "${var.account_id}.dkr.ecr.${var.region}.amazonaws.com/${var.name}"
  target_group         = var.target_group
  instances_per_colour = var.instances_per_colour
  instance_type        = var.instance_type

  redis = {
    node_type               = "cache.r7g.large"
    shards                  = 2
    replicas_per_shard      = 2
    snapshot_retention_days = 7
    snapshot_name           = var.redis_snapshot_name
  }
  redis_auth_token = module.secrets.redis_auth_token
  redis_secret     = module.secrets.redis_secret
  backend_secret   = module.secrets.backend_secret
  sessions         = var.sessions

  log_retention_days      = 90
  alert_emails            = var.alert_emails
  expects_connections     = true
  deployer_principal_arns = var.deployer_principal_arns
  deletion_protection     = true
  state_prefix            = "multi-region"
  journal_replica_regions = [var.standby_region]
  emulator                = var.emulator
}

# Sessions written in the first region appear in the second within a second or so; what had not
# come yet when the first was lost, clients hand back (docs/protocol.md, clients as replicas).
resource "aws_elasticache_global_replication_group" "this" {
  count = var.emulator ? 0 : 1

  global_replication_group_id_suffix = var.name
  primary_replication_group_id       = module.primary.redis_replication_group_id

  # `isshoni failover` makes the other one the primary; Terraform must not take that back.
  lifecycle {
    ignore_changes = [primary_replication_group_id]
  }
}

module "standby" {
  source = "../../modules/region"

  providers = {
    aws = aws.standby
  }

  name                 = var.name
  account_id           = var.account_id
  region               = var.standby_region
  zones                = ["a", "b", "c"]
  cidr                 = "10.40.0.0/16"
  nat_gateway_per_zone = true
  domain_name          = var.domain_name
  hosted_zone_id       = var.hosted_zone_id
  failover             = "SECONDARY"

  image_repository     = "${var.account_id}.dkr.ecr.${var.standby_region}.amazonaws.com/${var.name}"
  target_group         = var.standby_target_group
  instances_per_colour = var.instances_per_colour
  instance_type        = var.instance_type

  redis = {
    node_type               = "cache.r7g.large"
    shards                  = 2
    replicas_per_shard      = 2
    snapshot_retention_days = 7
    secondary               = true
    global_datastore_id     = var.emulator ? null : aws_elasticache_global_replication_group.this[0].global_replication_group_id
  }
  redis_auth_token = module.secrets.redis_auth_token
  redis_secret     = module.secrets.redis_secret
  backend_secret   = module.secrets.backend_secret
  sessions         = var.sessions

  log_retention_days      = 90
  alert_emails            = var.alert_emails
  expects_connections     = true
  deployer_principal_arns = var.deployer_principal_arns
  deletion_protection     = true
  state_prefix            = "multi-region/standby"
  emulator                = var.emulator
}
