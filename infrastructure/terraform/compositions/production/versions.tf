terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 6.0"
    }
  }

  # Bucket, key and region: -backend-config=backend.hcl, see README.md.
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}
