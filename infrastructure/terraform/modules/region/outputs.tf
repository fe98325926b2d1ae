output "isshoni" {
  description = "What the deploy engine needs to know of the region; the environment reads only this."
  value = {
    region                  = var.region
    public_url              = "https://${var.domain_name}"
    alb_dns_name            = module.load_balancer.dns_name
    listener_arn            = module.load_balancer.listener_arn
    target_rule_arns        = module.load_balancer.target_rule_arns
    target_group_arns       = module.load_balancer.target_group_arns
    autoscaling_group_names = module.compute.autoscaling_group_names
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
    image_version           = var.image_version
    target_group            = var.target_group
  }
}

output "redis_replication_group_id" {
  description = "For a Global Datastore to grow from."
  value       = module.redis.replication_group_id
}
