output "bucket" {
  description = "Name of the bucket, once the load balancer may write to it."
  value       = aws_s3_bucket_policy.this.bucket
}

output "balancer_prefix" {
  description = "Folder of the load balancer's logs in it."
  value       = "balancer"
}
