output "isshoni" {
  description = "What the deploy engine needs to know."
  value       = module.region.isshoni
}
