# All that one region runs, from the network inwards to Redis, and who may touch it.

locals {
  backend_port      = 9001
  admin_port        = 9101
  redis_port        = 6379
  metrics_namespace = "Isshoni"
  paired            = length(var.alternatives) > 0
  environment       = split("/", var.state_prefix)[0]

  engine = {
    region                  = var.region
    public_url              = "https://${var.domain_name}"
    alb_dns_name            = module.load_balancer.dns_name
    listener_arn            = module.load_balancer.listener_arn
    target_rule_arns        = module.load_balancer.target_rule_arns
    target_group_arns       = module.load_balancer.target_group_arns
    autoscaling_group_names = { blue = "${var.name}-blue", green = "${var.name}-green" }
    clusters                = { for colour, cluster in aws_ecs_cluster.this : colour => cluster.name }
    log_groups              = module.observability.log_groups
    backend_port            = local.backend_port
    admin_port              = local.admin_port
    backend_secret          = var.backend_secret
    journal_table           = module.journal.table
    sns_topic_arn           = module.observability.sns_topic_arn
    alarm_names             = module.observability.alarm_names
    metrics_namespace       = local.metrics_namespace
    dashboard_url           = module.observability.dashboard_url
    deployer_role_arn       = module.deployer.role_arn
    operator_group_id       = module.security.operator_group_id
    load_balancer_group_id  = module.security.load_balancer_group_id
    alert_emails            = var.alert_emails
  }
}

module "network" {
  source = "../network"

  name                 = var.name
  region               = var.region
  zones                = var.zones
  cidr                 = var.cidr
  nat_gateway_per_zone = var.nat_gateway_per_zone
}

module "security" {
  source = "../security"

  name         = var.name
  vpc_id       = module.network.vpc_id
  backend_port = local.backend_port
  admin_port   = local.admin_port
  redis_port   = local.redis_port
}

module "load_balancer" {
  source = "../load_balancer"

  name                = var.name
  vpc_id              = module.network.vpc_id
  subnet_ids          = module.network.public_subnet_ids
  security_group_id   = module.security.load_balancer_group_id
  certificate_arn     = module.dns.certificate_arn
  target_group        = var.target_group
  backend_port        = local.backend_port
  log_bucket          = module.logs.bucket
  log_prefix          = module.logs.balancer_prefix
  web_acl_arn         = var.web_acl_arn
  deletion_protection = var.deletion_protection
}

module "logs" {
  source = "../logs"

  name                = var.name
  account_id          = var.account_id
  region              = var.region
  vpc_id              = module.network.vpc_id
  retention_days      = var.log_retention_days
  deletion_protection = var.deletion_protection
}

module "dns" {
  source = "../dns"

  domain_name            = var.domain_name
  hosted_zone_id         = var.hosted_zone_id
  region                 = var.region
  public_record          = !local.paired
  load_balancer_dns_name = module.load_balancer.dns_name
  load_balancer_zone_id  = module.load_balancer.zone_id
}

module "redis" {
  source = "../redis"

  name                    = var.name
  subnet_ids              = module.network.isolated_subnet_ids
  security_group_id       = module.security.redis_group_id
  port                    = local.redis_port
  engine                  = var.redis.engine
  engine_version          = var.redis.engine_version
  node_type               = var.redis.node_type
  shards                  = var.redis.shards
  replicas_per_shard      = var.redis.replicas_per_shard
  snapshot_retention_days = var.redis.snapshot_retention_days
  snapshot_name           = var.redis.snapshot_name
  secondary               = var.redis.secondary
  global_datastore_id     = var.redis.global_datastore_id
  auth_token              = var.redis_auth_token
  alerts_topic_arn        = module.observability.redis_topic_arn
  emulator                = var.emulator
}

module "published" {
  source = "../published"

  name   = var.name
  engine = local.engine
  colours = {
    composition              = var.state_prefix
    region                   = var.region
    listener_arn             = module.load_balancer.listener_arn
    target_group_arns        = module.load_balancer.target_group_arns
    clusters                 = { for colour, cluster in aws_ecs_cluster.this : colour => cluster.name }
    image_repository         = var.image_repository
    instances_per_colour     = var.instances_per_colour
    max_instances_per_colour = coalesce(var.max_instances_per_colour, 2 * var.instances_per_colour)
    scaling                  = var.scaling
    instance_type            = var.instance_type
    subnet_ids               = module.network.private_subnet_ids
    security_group_id        = module.security.backend_group_id
    instance_profile_arn     = module.identity.instance_profile_arn
    execution_role_arn       = module.identity.execution_role_arn
    task_role_arn            = module.identity.task_role_arn
    log_groups               = module.observability.log_groups
    metrics_namespace        = local.metrics_namespace
    backend_port             = local.backend_port
    admin_port               = local.admin_port
    origin                   = "https://${var.domain_name}"
    origins                  = concat(var.origins, local.paired ? concat(["https://${var.region}.${var.domain_name}"], var.alternatives) : [])
    embed_hosts              = var.embed_hosts
    alternatives             = var.alternatives
    redis_endpoint           = module.redis.endpoint
    architecture             = var.architecture
    # With `required`, a replica that is away must not have every write refused.
    redis_wait          = var.redis.wait
    redis_wait_replicas = max(1, var.redis.replicas_per_shard - 1)
    sessions            = var.sessions
    redis_secret        = var.redis_secret
    backend_secret      = var.backend_secret
    # The keys of that secret, each an environment variable of the backends.
    backend_variables = [
      "ISSHONI_ADMIN_TOKEN",
      "ISSHONI_LOG_SECRET",
      "ISSHONI_TICKET_SECRET",
      "SESSION_ENCRYPTION_KEY",
    ]
  }
}

# One for each colour, so that neither's tasks can start on the other's machines.
resource "aws_ecs_cluster" "this" {
  for_each = toset(["blue", "green"])

  name = "${var.name}-${each.key}"

  # The backends report what an operator needs; its metrics would cost as much as a machine.
  setting {
    name  = "containerInsights"
    value = "disabled"
  }
}

module "observability" {
  source = "../observability"

  name                = var.name
  account_id          = var.account_id
  region              = var.region
  metrics_namespace   = local.metrics_namespace
  log_retention_days  = var.log_retention_days
  alert_emails        = var.alert_emails
  load_balancer       = module.load_balancer.arn_suffix
  target_groups       = module.load_balancer.target_group_arn_suffixes
  redis_node_ids      = module.redis.node_ids
  expects_connections = var.expects_connections
  paired              = local.paired
  emulator            = var.emulator
}

module "journal" {
  source = "../journal"

  name                = var.name
  deletion_protection = var.deletion_protection
}

module "identity" {
  source = "../identity"

  name                 = var.name
  account_id           = var.account_id
  region               = var.region
  image_repository_arn = "arn:aws:ecr:${var.region}:${var.account_id}:repository/${split("/", var.image_repository)[1]}"
  log_groups           = module.observability.log_groups
  clusters             = [for cluster in aws_ecs_cluster.this : cluster.name]
  secrets              = [var.backend_secret, var.redis_secret]
}

module "runner" {
  source = "../runner"
  count  = var.runner ? 1 : 0

  name       = var.name
  account_id = var.account_id
  region     = var.region
  # Of two regions, each is called ENVIRONMENT.REGION; a deploy is to both.
  environment       = local.paired ? "${local.environment}.${var.region}" : local.environment
  deploys_to        = local.environment
  subnet_id         = module.network.private_subnet_ids[0]
  security_group_id = module.security.operator_group_id
}

module "github" {
  source = "../github"
  count  = var.runner && var.github != null ? 1 : 0

  name            = var.name
  account_id      = var.account_id
  region          = var.region
  repository      = var.github.repository
  environment     = var.github.environment
  create_provider = var.github.create_provider
  document        = module.runner[0].document
}

module "deployer" {
  source = "../deployer"

  name           = var.name
  bootstrap_name = coalesce(var.bootstrap_name, var.name)
  account_id     = var.account_id
  region         = var.region
  # An empty list lets in whom the account allows to, and the runner's role is allowed to.
  principal_arns    = length(var.deployer_principal_arns) == 0 ? [] : concat(var.deployer_principal_arns, module.runner[*].role_arn)
  machine_role_name = module.identity.machine_role_name
  task_role_names   = module.identity.task_role_names
  secrets           = [var.backend_secret, var.redis_secret]
  log_groups        = module.observability.log_groups
  state_bucket      = var.state_bucket
  state_prefix      = var.state_prefix
  paired            = local.paired
}
