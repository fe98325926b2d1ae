terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }

  # Bucket, region and key of KMS: -backend-config=backend.hcl, see docs/aws.md.
  backend "s3" {
    key          = "multi-region/peering/ground.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}
