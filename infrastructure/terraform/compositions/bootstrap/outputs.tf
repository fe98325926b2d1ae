output "state_bucket" {
  description = "For backend.hcl of the other compositions."
  value       = module.state.bucket
}

output "state_replica_bucket" {
  description = "For backend.hcl when the first region is lost."
  value       = module.state.replica_bucket
}

output "image_repository" {
  description = "Where to push images."
  value       = aws_ecr_repository.this.repository_url
}
