output "bucket" {
  description = "Bucket of the state."
  value       = aws_s3_bucket.this.bucket
}

output "replica_bucket" {
  description = "Its copy in the other region."
  value       = aws_s3_bucket.replica.bucket
}
