"""Static analysis of the Terraform code by checkov, with a reason for each accepted finding."""
