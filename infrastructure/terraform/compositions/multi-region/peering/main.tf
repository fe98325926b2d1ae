# The networks of both regions, connected, so that the machine that fails over in one of them reaches the admin
# ports of the other. Nothing else does: routes lead to the other network, and only this port is open.

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { Project = var.name, Environment = "multi-region", ManagedBy = "terraform" }
  }
}

provider "aws" {
  alias               = "second"
  region              = var.second_region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { Project = var.name, Environment = "multi-region", ManagedBy = "terraform" }
  }
}

resource "aws_vpc_peering_connection" "this" {
  vpc_id      = var.first.vpc_id
  peer_vpc_id = var.second.vpc_id
  peer_region = var.second_region
  auto_accept = false

  tags = { Name = "${var.name}-regions" }
}

resource "aws_vpc_peering_connection_accepter" "this" {
  provider = aws.second

  vpc_peering_connection_id = aws_vpc_peering_connection.this.id
  auto_accept               = true

  tags = { Name = "${var.name}-regions" }
}

resource "aws_route" "first" {
  count = length(var.first.route_table_ids)

  route_table_id            = var.first.route_table_ids[count.index]
  destination_cidr_block    = var.second.cidr
  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.this.id
}

resource "aws_vpc_security_group_ingress_rule" "first" {
  security_group_id = var.first.backend_group_id
  description       = "The other region's runner, to the admin API"
  cidr_ipv4         = var.second.runner_cidr
  ip_protocol       = "tcp"
  from_port         = var.first.admin_port
  to_port           = var.first.admin_port
}

resource "aws_vpc_security_group_egress_rule" "first" {
  security_group_id = var.first.operator_group_id
  description       = "To the admin API in the other region"
  cidr_ipv4         = var.second.cidr
  ip_protocol       = "tcp"
  from_port         = var.second.admin_port
  to_port           = var.second.admin_port
}

resource "aws_route" "second" {
  count = length(var.second.route_table_ids)

  provider = aws.second

  route_table_id            = var.second.route_table_ids[count.index]
  destination_cidr_block    = var.first.cidr
  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.this.id
}

resource "aws_vpc_security_group_ingress_rule" "second" {
  provider = aws.second

  security_group_id = var.second.backend_group_id
  description       = "The other region's runner, to the admin API"
  cidr_ipv4         = var.first.runner_cidr
  ip_protocol       = "tcp"
  from_port         = var.second.admin_port
  to_port           = var.second.admin_port
}

resource "aws_vpc_security_group_egress_rule" "second" {
  provider = aws.second

  security_group_id = var.second.operator_group_id
  description       = "To the admin API in the other region"
  cidr_ipv4         = var.first.cidr
  ip_protocol       = "tcp"
  from_port         = var.first.admin_port
  to_port           = var.first.admin_port
}
