"""An environment on AWS: ALB, an Auto Scaling group per slot, Terraform, DynamoDB."""
