output "isshoni" {
  description = "What the deploy engine needs to know of the region; it reads this from the parameter /NAME/engine."
  value       = local.engine
}

output "runner" {
  description = "What a workflow on GitHub needs to ask for a deploy; null: there is no runner."
  value = !var.runner ? null : {
    instance_id = module.runner[0].instance_id
    document    = module.runner[0].document
    github_role = one(module.github[*].role_arn)
  }
}

output "redis_replication_group_id" {
  description = "For a Global Datastore to grow from."
  value       = module.redis.replication_group_id
}

output "network" {
  description = "What connects the networks of two regions."
  value = {
    vpc_id            = module.network.vpc_id
    cidr              = var.cidr
    runner_cidr       = module.network.private_subnet_cidrs[0]
    route_table_ids   = module.network.private_route_table_ids
    backend_group_id  = module.security.backend_group_id
    operator_group_id = module.security.operator_group_id
    admin_port        = local.admin_port
  }
}
