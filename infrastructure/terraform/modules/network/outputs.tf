output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "public_subnet_ids" {
  description = "Subnets of the load balancer, one a zone."
  value       = [for letter in var.zones : aws_subnet.public[letter].id]
}

output "private_subnet_ids" {
  description = "Subnets of the backends, one a zone."
  value       = [for letter in var.zones : aws_subnet.private[letter].id]
}

output "isolated_subnet_ids" {
  description = "Subnets of Redis, one a zone."
  value       = [for letter in var.zones : aws_subnet.isolated[letter].id]
}

output "private_subnet_cidrs" {
  description = "Addresses of those, in the same order."
  value       = [for letter in var.zones : aws_subnet.private[letter].cidr_block]
}

output "private_route_table_ids" {
  description = "Route tables of those, one a zone."
  value       = [for letter in var.zones : aws_route_table.private[letter].id]
}
