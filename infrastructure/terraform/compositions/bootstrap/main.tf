# What must exist before anything else: where Terraform keeps its state, and where images lie.

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { Project = var.name, Environment = "bootstrap", ManagedBy = "terraform" }
  }
}

provider "aws" {
  alias               = "replica"
  region              = var.replica_region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { Project = var.name, Environment = "bootstrap", ManagedBy = "terraform" }
  }
}

module "state" {
  source = "../../modules/state"

  providers = {
    aws         = aws
    aws.replica = aws.replica
  }

  name       = var.name
  account_id = var.account_id
}

# A tag names one image for ever: a rollback finds what it ran before.
resource "aws_ecr_repository" "this" {
  name                 = var.name
  image_tag_mutability = "IMMUTABLE"

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
  }
}

# The second region of `multi-region` pulls from its own. Of these settings the registry of an account has only
# one: the environments of an account share one bootstrap.
resource "aws_ecr_replication_configuration" "this" {
  replication_configuration {
    rule {
      destination {
        region      = var.replica_region
        registry_id = var.account_id
      }

      repository_filter {
        filter      = var.name
        filter_type = "PREFIX_MATCH"
      }
    }
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name

  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "What has no tag: no version can run it"
      selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 14 }
      action       = { type = "expire" }
    }]
  })
}
