# What two regions share, and neither may lose with itself. Applied before them.

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { Project = var.name, Environment = "multi-region", ManagedBy = "terraform" }
  }
}

module "secrets" {
  source = "../../../modules/secrets"

  name                     = var.name
  redis_auth_token_version = var.redis_auth_token_version
  recovery_window_days     = 30
  replica_regions          = [var.second_region]
}

# One table for failovers, made once: a region that made its own copy would collide with it. Each region has
# a table of its own for deploys. Copies follow within a second, so this table's lease keeps two engines apart
# only if both use the copy of the region that is to serve; that never two regions write is the term in Redis.
module "journal" {
  source = "../../../modules/journal"

  name                = "${var.name}-failover"
  deletion_protection = true
  replica_regions     = var.emulator ? [] : [var.second_region]
}

module "failover" {
  source = "../../../modules/failover"

  name           = var.name
  account_id     = var.account_id
  regions        = [var.region, var.second_region]
  domain_name    = var.domain_name
  hosted_zone_id = var.hosted_zone_id
  # Its name, not the module's output, so that the role can be judged from a plan.
  journal_table  = "${var.name}-failover-journal"
  backend_secret = "${var.name}/backend"
  principal_arns = var.failover_principal_arns
}
