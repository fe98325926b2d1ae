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

resource "aws_route53_record" "validation" {
  for_each = local.names

  zone_id = var.hosted_zone_id
  name    = one([for option in aws_acm_certificate.this.domain_validation_options : option.resource_record_name if option.domain_name == each.key])
  type    = one([for option in aws_acm_certificate.this.domain_validation_options : option.resource_record_type if option.domain_name == each.key])
  records = [one([for option in aws_acm_certificate.this.domain_validation_options : option.resource_record_value if option.domain_name == each.key])]
  ttl     = 60

  # Another region's certificate for the same name is proven by the very same record.
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "this" {
  certificate_arn         = aws_acm_certificate.this.arn
  validation_record_fqdns = [for record in aws_route53_record.validation : record.fqdn]
}

resource "aws_route53_record" "regional" {
  zone_id = var.hosted_zone_id
  name    = local.regional_name
  type    = "A"

  alias {
    name                   = var.load_balancer_dns_name
    zone_id                = var.load_balancer_zone_id
    evaluate_target_health = true
  }
}

# Readiness exercises Redis: a region that cannot serve a session is not healthy.
resource "aws_route53_health_check" "this" {
  count = var.failover == null ? 0 : 1

  fqdn              = local.regional_name
  type              = "HTTPS"
  port              = 443
  resource_path     = "/readyz"
  request_interval  = 10
  failure_threshold = 3
  enable_sni        = true

  tags = { Name = local.regional_name }
}

resource "aws_route53_record" "public" {
  zone_id        = var.hosted_zone_id
  name           = var.domain_name
  type           = "A"
  set_identifier = var.failover == null ? null : var.region

  alias {
    name                   = var.load_balancer_dns_name
    zone_id                = var.load_balancer_zone_id
    evaluate_target_health = true
  }

  dynamic "failover_routing_policy" {
    for_each = var.failover == null ? [] : [var.failover]

    content {
      type = failover_routing_policy.value
    }
  }

  health_check_id = var.failover == null ? null : aws_route53_health_check.this[0].id
}
