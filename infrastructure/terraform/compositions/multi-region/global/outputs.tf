output "isshoni" {
  description = "What a failover needs to know besides the two regions."
  value = {
    regions           = [var.region, var.second_region]
    public_url        = "https://${var.domain_name}"
    health_check_id   = module.failover.health_check_id
    journal_table     = module.journal.table
    failover_role_arn = module.failover.role_arn
  }
}
