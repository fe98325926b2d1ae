output "table" {
  description = "Name of the table: string keys `pk` and `sk`."
  value       = aws_dynamodb_table.this.name
}
