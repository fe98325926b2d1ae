output "connection_id" {
  description = "The connection of the two networks."
  value       = aws_vpc_peering_connection.this.id
}
