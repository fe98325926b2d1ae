output "isshoni" {
  description = "What the deploy engine needs to know."
  value       = module.region.isshoni
}

output "runner" {
  description = "What a workflow on GitHub needs to ask for a deploy; null: there is no runner."
  value       = module.region.runner
}
