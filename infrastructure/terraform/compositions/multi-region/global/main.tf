# What two regions share, and neither may lose with itself. Applied before them.

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { Project = var.name, Environment = "multi-region", ManagedBy = "terraform" }
  }
}

provider "aws" {
  alias               = "second"
  region              = var.second_region
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
# only while both use the same copy: the first region's, if that answers. The leases of both regions' deploys and
# the term in Redis do the rest.
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

locals {
  shared = {
    regions           = [var.region, var.second_region]
    public_url        = "https://${var.domain_name}"
    health_check_id   = module.failover.health_check_id
    journal_table     = module.journal.table
    failover_role_arn = module.failover.role_arn
  }
}

# What a failover reads; in both regions, for either may be lost.
resource "aws_ssm_parameter" "regions" {
  name        = "/${var.name}/regions"
  description = "What a failover reads"
  type        = "String"
  value       = jsonencode(local.shared)
}

resource "aws_ssm_parameter" "regions_copy" {
  provider = aws.second

  name        = "/${var.name}/regions"
  description = "What a failover reads"
  type        = "String"
  value       = jsonencode(local.shared)
}
