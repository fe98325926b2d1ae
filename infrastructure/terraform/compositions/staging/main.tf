provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { Project = var.name, Environment = "staging", ManagedBy = "terraform" }
  }
}

module "secrets" {
  source = "../../modules/secrets"

  name                     = var.name
  redis_auth_token_version = var.redis_auth_token_version
  recovery_window_days     = 0
}

module "region" {
  source = "../../modules/region"

  name                 = var.name
  account_id           = var.account_id
  region               = var.region
  zones                = ["a", "b"]
  cidr                 = "10.20.0.0/16"
  nat_gateway_per_zone = false
  domain_name          = var.domain_name
  hosted_zone_id       = var.hosted_zone_id

  image_repository         = "${var.account_id}.dkr.ecr.${var.region}.amazonaws.com/${coalesce(var.bootstrap_name, var.name)}"
  target_group             = var.target_group
  instances_per_colour     = var.instances_per_colour
  max_instances_per_colour = var.max_instances_per_colour
  scaling                  = var.scaling
  instance_type            = var.instance_type

  bootstrap_name = var.bootstrap_name
  architecture   = var.architecture
  web_acl_arn    = var.web_acl_arn
  origins        = var.origins
  embed_hosts    = var.embed_hosts

  redis = {
    engine                  = var.redis_engine
    wait                    = var.redis_wait
    node_type               = "cache.t4g.small"
    shards                  = 1
    replicas_per_shard      = 1
    snapshot_retention_days = 1
    snapshot_name           = var.redis_snapshot_name
  }
  redis_auth_token = module.secrets.redis_auth_token
  redis_secret     = module.secrets.redis_secret
  backend_secret   = module.secrets.backend_secret
  sessions         = var.sessions

  log_retention_days      = 14
  alert_emails            = var.alert_emails
  expects_connections     = false
  deployer_principal_arns = var.deployer_principal_arns
  runner                  = var.runner
  github                  = var.github
  deletion_protection     = false
  state_prefix            = "staging"
  emulator                = var.emulator
}
