resource "aws_cloudwatch_log_group" "colour" {
  for_each = toset(["blue", "green"])

  name              = "/aws/ecs/${var.name}-${each.key}"
  retention_in_days = var.log_retention_days
}
