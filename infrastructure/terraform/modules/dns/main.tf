locals {
  regional_name = "${var.region}.${var.domain_name}"
  names         = toset([var.domain_name, local.regional_name])
}

resource "aws_acm_certificate" "this" {
  domain_name               = var.domain_name
  subject_alternative_names = [local.regional_name]
  validation_method         = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

# ACM asks for the same record of a name in every region, and again at each renewal. So one state has it: of the
# public name of two regions that is the global part's.
resource "aws_route53_record" "proof" {
  for_each = var.public_record ? local.names : toset([local.regional_name])

  zone_id = var.hosted_zone_id
  name    = one([for option in aws_acm_certificate.this.domain_validation_options : option.resource_record_name if option.domain_name == each.key])
  type    = one([for option in aws_acm_certificate.this.domain_validation_options : option.resource_record_type if option.domain_name == each.key])
  records = [one([for option in aws_acm_certificate.this.domain_validation_options : option.resource_record_value if option.domain_name == each.key])]
  ttl     = 60

  # ACM's records stay behind an environment that was deleted, and its successor needs the same.
  allow_overwrite = true
}

# Both regions had the record of the public name: deleting one of them would have ended the other's renewals.
removed {
  from = aws_route53_record.validation

  lifecycle {
    destroy = false
  }
}

resource "aws_acm_certificate_validation" "this" {
  certificate_arn         = aws_acm_certificate.this.arn
  validation_record_fqdns = [for option in aws_acm_certificate.this.domain_validation_options : option.resource_record_name]

  depends_on = [aws_route53_record.proof]
}

# Route 53 would call a balancer unhealthy as soon as one target group of it has no healthy target: each
# candidate that boots.
resource "aws_route53_record" "regional" {
  zone_id = var.hosted_zone_id
  name    = local.regional_name
  type    = "A"

  alias {
    name                   = var.load_balancer_dns_name
    zone_id                = var.load_balancer_zone_id
    evaluate_target_health = false
  }
}

# Of two regions the global part makes the public name, for only one of them may have it.
resource "aws_route53_record" "public" {
  count = var.public_record ? 1 : 0

  zone_id = var.hosted_zone_id
  name    = var.domain_name
  type    = "A"

  alias {
    name                   = var.load_balancer_dns_name
    zone_id                = var.load_balancer_zone_id
    evaluate_target_health = false
  }
}

moved {
  from = aws_route53_record.public
  to   = aws_route53_record.public[0]
}
