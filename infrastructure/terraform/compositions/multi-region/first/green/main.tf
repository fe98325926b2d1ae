# The machines of green. Nothing here can touch blue, which has a state of its own.

provider "aws" {
  region = var.region

  default_tags {
    tags = { Project = var.name, Environment = "multi-region", ManagedBy = "terraform" }
  }
}

module "colour" {
  source = "../../../../modules/colour"

  name          = var.name
  ground        = "multi-region/first"
  colour        = "green"
  image_version = var.image_version
  drained       = var.drained
  instances     = var.instances
}
