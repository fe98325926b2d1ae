# What runs on each machine: one task, started and replaced by ECS.

locals {
  drain_seconds = 60
  stop_seconds  = local.drain_seconds + 15
  settings = merge(
    {
      ISSHONI_COLOUR  = var.colour
      ISSHONI_VERSION = var.image_version
      ISSHONI_HOST    = "0.0.0.0"
      ISSHONI_PORT    = local.ground.backend_port
      # On the machine's own address: its security group lets only operators reach this port.
      ISSHONI_ADMIN_HOST          = "0.0.0.0"
      ISSHONI_ADMIN_ALLOW_PUBLIC  = 1
      ISSHONI_ADMIN_PORT          = local.ground.admin_port
      ISSHONI_TRUSTED_PROXIES     = 1
      ISSHONI_ORIGINS             = join(",", concat([local.ground.origin], lookup(local.ground, "origins", [])))
      ISSHONI_DRAIN_SECONDS       = local.drain_seconds
      ISSHONI_REDIS_WAIT          = lookup(local.ground, "redis_wait", "required")
      ISSHONI_REDIS_WAIT_REPLICAS = local.ground.redis_wait_replicas
      ISSHONI_ENVIRONMENT         = var.name
      ISSHONI_METRICS_NAMESPACE   = local.ground.metrics_namespace
      AWS_REGION                  = local.ground.region
      REDIS_ENDPOINT              = local.ground.redis_endpoint
    },
    length(lookup(local.ground, "embed_hosts", [])) > 0 ? { ISSHONI_EMBED_HOSTS = join(",", local.ground.embed_hosts) } : {},
    # Of two regions each has the name that AWS gives it.
    length(lookup(local.ground, "alternatives", [])) > 0 ? {
      ISSHONI_REGION              = local.ground.region
      ISSHONI_REGION_ALTERNATIVES = join(",", local.ground.alternatives)
    } : {},
    local.ground.sessions.expiry_days > 0 ? { ISSHONI_SESSION_EXPIRY_DAYS = local.ground.sessions.expiry_days } : {},
    local.ground.sessions.max_stored > 0 ? { ISSHONI_MAX_SESSIONS_STORED = local.ground.sessions.max_stored } : {},
  )
  secrets = merge(
    { REDIS_AUTH_TOKEN = data.aws_secretsmanager_secret.redis.arn },
    { for name in local.ground.backend_variables : name => "${data.aws_secretsmanager_secret.backend.arn}:${name}::" },
  )
}

# ECS takes a key of a secret by its whole ARN only.
data "aws_secretsmanager_secret" "backend" {
  name = local.ground.backend_secret
}

data "aws_secretsmanager_secret" "redis" {
  name = local.ground.redis_secret
}

resource "aws_ecs_task_definition" "this" {
  count = var.image_version == "" ? 0 : 1

  family = "${var.name}-${var.colour}"
  # The machine's own address: the balancer's targets and the engine's admin requests are machines.
  network_mode       = "host"
  execution_role_arn = local.ground.execution_role_arn
  task_role_arn      = local.ground.task_role_arn
  # Deregistering is a right on the task definitions of the whole account.
  skip_destroy = true

  container_definitions = jsonencode([{
    name      = "backend"
    image     = "${local.ground.image_repository}:${var.image_version}"
    essential = true
    # `exec`, so that SIGTERM reaches the program, which drains.
    command = ["sh", "-c", "REDIS_URL=\"rediss+cluster://:$REDIS_AUTH_TOKEN@$REDIS_ENDPOINT\" exec python -m isshoni.backend"]

    environment = [for name, value in local.settings : { name = name, value = tostring(value) }]
    secrets     = [for name, arn in local.secrets : { name = name, valueFrom = arn }]

    portMappings = [for port in [local.ground.backend_port, local.ground.admin_port] :
      { containerPort = port, hostPort = port, protocol = "tcp" }
    ]

    # Alive, not ready: without an answer to four checks in a row ECS replaces the container.
    healthCheck = {
      command     = ["CMD", "python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:${local.ground.backend_port}/healthz', timeout=3)"]
      interval    = 10
      timeout     = 5
      retries     = 4
      startPeriod = 60
    }

    stopTimeout            = local.stop_seconds
    user                   = "10001"
    privileged             = false
    readonlyRootFilesystem = true
    # Of a machine of its own: it may use all of it.
    memoryReservation = 256
    ulimits           = [{ name = "nofile", softLimit = 1048576, hardLimit = 1048576 }]
    linuxParameters = {
      initProcessEnabled = true
      capabilities       = { drop = ["ALL"] }
      tmpfs              = [{ containerPath = "/tmp", size = 64 }]
    }

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = local.ground.log_groups[var.colour]
        awslogs-region        = local.ground.region
        awslogs-stream-prefix = "backend"
        mode                  = "non-blocking"
      }
    }
  }])

  depends_on = [terraform_data.guard]
}

resource "aws_ecs_service" "this" {
  count = var.image_version == "" ? 0 : 1

  name            = "backend"
  cluster         = local.cluster
  task_definition = aws_ecs_task_definition.this[0].arn
  launch_type     = "EC2"
  # One task a machine, however many machines there are.
  scheduling_strategy = "DAEMON"
  # Two of them cannot have the same port of a machine.
  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100
  enable_ecs_managed_tags            = true
  propagate_tags                     = "SERVICE"
  force_delete                       = true

  # It ends before its machines do, so that ECS has each program drain.
  depends_on = [aws_autoscaling_group.this]
}
