terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }

  # Begins with a state on this machine, for it makes the bucket; docs/aws.md says how to move it in.
}
