"""AWS: an ALB, an Auto Scaling group a colour, Terraform, CloudWatch, SNS, DynamoDB."""
