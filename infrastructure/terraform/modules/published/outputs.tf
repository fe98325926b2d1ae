output "arns" {
  description = "The two parameters, for those who may read them."
  value       = [aws_ssm_parameter.engine.arn, aws_ssm_parameter.colours.arn]
}
