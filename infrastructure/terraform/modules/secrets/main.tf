# No secret is typed by hand, and those of the backends are in neither plan nor state: ephemeral values,
# written once. Redis's AUTH token has to be in the
# state: provider 5.100 has no write-only argument for it (`auth_token_wo` came with a 6.x).

ephemeral "aws_secretsmanager_random_password" "backend" {
  for_each = toset(["admin_token", "ticket_secret", "log_secret"])

  password_length     = 64
  exclude_punctuation = true
}

# A Fernet key is 32 bytes, in URL-safe base64; 32 letters and digits are 190 bits.
ephemeral "aws_secretsmanager_random_password" "session_key" {
  password_length     = 32
  exclude_punctuation = true
}

ephemeral "aws_secretsmanager_random_password" "redis" {
  password_length     = 64
  exclude_punctuation = true
}

locals {
  backend     = ephemeral.aws_secretsmanager_random_password.backend
  session_key = ephemeral.aws_secretsmanager_random_password.session_key.random_password
}

resource "aws_secretsmanager_secret" "backend" {
  name                    = "${var.name}/backend"
  description             = "A JSON object: environment variables of the backends"
  recovery_window_in_days = var.recovery_window_days

  dynamic "replica" {
    for_each = var.replica_regions

    content {
      region = replica.value
    }
  }
}

# Written once; from then on rotated by hand (docs/aws.md), for the old session key must stay
# readable beside the new one.
resource "aws_secretsmanager_secret_version" "backend" {
  secret_id                = aws_secretsmanager_secret.backend.id
  secret_string_wo_version = 1
  secret_string_wo = jsonencode({
    ISSHONI_ADMIN_TOKEN    = local.backend["admin_token"].random_password
    ISSHONI_TICKET_SECRET  = local.backend["ticket_secret"].random_password
    ISSHONI_LOG_SECRET     = local.backend["log_secret"].random_password
    SESSION_ENCRYPTION_KEY = replace(replace(base64encode(local.session_key), "+", "-"), "/", "_")
  })
}

resource "aws_secretsmanager_secret" "redis" {
  name                    = "${var.name}/redis"
  description             = "AUTH token of Redis"
  recovery_window_in_days = var.recovery_window_days

  dynamic "replica" {
    for_each = var.replica_regions

    content {
      region = replica.value
    }
  }
}

resource "aws_secretsmanager_secret_version" "redis" {
  secret_id                = aws_secretsmanager_secret.redis.id
  secret_string_wo_version = var.redis_auth_token_version
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.redis.random_password
}

data "aws_secretsmanager_secret_version" "redis" {
  secret_id  = aws_secretsmanager_secret.redis.id
  version_id = aws_secretsmanager_secret_version.redis.version_id
}
