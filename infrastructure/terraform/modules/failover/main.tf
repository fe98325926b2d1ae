# Where the public name leads, and who may change that: an operator or the engine, never a measurement.

locals {
  first  = var.regions[0]
  second = var.regions[1]
}

# Never asks anything: Route 53 takes a disabled check for healthy, and for unhealthy if it is inverted.
# Not inverted, users are sent to the first region; inverted, to the second.
resource "aws_route53_health_check" "switch" {
  type              = "TCP"
  fqdn              = "${local.first}.${var.domain_name}"
  port              = 443
  request_interval  = 30
  failure_threshold = 3
  disabled          = true

  tags = { Name = "${var.name}-switch" }

  # A failover sets it; no apply takes that back.
  lifecycle {
    ignore_changes = [invert_healthcheck]
  }
}

resource "aws_route53_record" "public" {
  for_each = { PRIMARY = local.first, SECONDARY = local.second }

  zone_id         = var.hosted_zone_id
  name            = var.domain_name
  type            = "CNAME"
  ttl             = var.ttl_seconds
  records         = ["${each.value}.${var.domain_name}"]
  set_identifier  = each.value
  health_check_id = each.key == "PRIMARY" ? aws_route53_health_check.switch.id : null

  failover_routing_policy {
    type = each.key
  }
}

# The proof for ACM that the name is ours. It is the same for the certificates of both regions, which serve the name;
# so neither region makes it, and to delete one takes nothing from the other. This certificate serves nothing: only
# from one can the record be read.
resource "aws_acm_certificate" "public" {
  domain_name       = var.domain_name
  validation_method = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "proof" {
  for_each = toset([var.domain_name])

  zone_id = var.hosted_zone_id
  name    = one([for option in aws_acm_certificate.public.domain_validation_options : option.resource_record_name if option.domain_name == each.key])
  type    = one([for option in aws_acm_certificate.public.domain_validation_options : option.resource_record_type if option.domain_name == each.key])
  records = [one([for option in aws_acm_certificate.public.domain_validation_options : option.resource_record_value if option.domain_name == each.key])]
  ttl     = 60

  # Before, each region made it.
  allow_overwrite = true
}
