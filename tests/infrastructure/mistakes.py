"""Mistakes to plant in a plan, each beside the check that must see it."""

import json
from collections.abc import Callable

from tests.infrastructure.alarm_mistakes import ALARM_MISTAKES
from tests.infrastructure.runner_mistakes import RUNNER_MISTAKES
from tests.support.terraform import alarm_checks, checks, task_checks
from tests.support.terraform.plan import Plan

Mistake = Callable[[Plan], None]


def _set(end: str, attribute: str, value: object) -> Mistake:
    def plant(plan: Plan) -> None:
        resource = plan.get(end)
        resource.values[attribute] = value
        resource.unknown.pop(attribute, None)

    return plant


def _set_in_block(end: str, block: str, attribute: str, value: object) -> Mistake:
    def plant(plan: Plan) -> None:
        plan.get(end).values[block][0][attribute] = value

    return plant


def _set_weight(plan: Plan) -> None:
    action = plan.get("aws_lb_listener.https").values["default_action"][0]
    action["forward"][0]["target_group"][0]["weight"] = 90


def _drop_a_colour(plan: Plan) -> None:
    action = plan.get("aws_lb_listener.https").values["default_action"][0]
    action["forward"][0]["target_group"].pop()


def _write(kind: str, name: str, **expressions: object) -> Mistake:
    """Change how a resource is written."""

    def plant(plan: Plan) -> None:
        found = dict(plan.written(kind))
        found[name].update(expressions)

    return plant


def _open_redis_to_the_world(plan: Plan) -> None:
    found = dict(plan.written("aws_vpc_security_group_ingress_rule"))["redis_from_backend"]
    del found["referenced_security_group_id"]
    found["cidr_ipv4"] = {"constant_value": "0.0.0.0/0"}


def _move_machines(plan: Plan) -> None:
    ((_, expressions),) = checks.module_calls(plan, "published")
    expressions["colours"] = {"references": ["module.network.public_subnet_ids"]}


def _move(module: str, tier: str) -> Mistake:
    def plant(plan: Plan) -> None:
        ((_, expressions),) = checks.module_calls(plan, module)
        expressions["subnet_ids"] = {"references": [f"module.network.{tier}_subnet_ids"]}

    return plant


def _allow(action: str, resource: str) -> Mistake:
    def plant(plan: Plan) -> None:
        policy = plan.get("module.deployer.aws_iam_role_policy.deploy")
        document = json.loads(policy.values["policy"])
        document["Statement"].append({"Effect": "Allow", "Action": action, "Resource": resource})
        policy.values["policy"] = json.dumps(document)

    return plant


def _expose_credentials(plan: Plan) -> None:
    template = plan.get("aws_launch_template.this[0]").values
    template["metadata_options"][0]["http_tokens"] = "optional"


def _leave_disk_plain(plan: Plan) -> None:
    template = plan.get("aws_launch_template.this[0]").values
    template["block_device_mappings"][0]["ebs"][0]["encrypted"] = "false"


def _define(**changes: object) -> Mistake:
    """Change the container of a task definition."""

    def plant(plan: Plan) -> None:
        values = plan.get("aws_ecs_task_definition.this[0]").values
        (container,) = json.loads(values["container_definitions"])
        values["container_definitions"] = json.dumps([container | changes])

    return plant


def _aim_rule_elsewhere(plan: Plan) -> None:
    rule = plan.get('aws_lb_listener_rule.target["green"]').values
    rule["condition"][0]["query_string"][0]["value"] = "blue"


def _evict(plan: Plan) -> None:
    for parameter in plan.get('aws_elasticache_parameter_group.this["redis"]').values["parameter"]:
        if parameter["name"] == "maxmemory-policy":
            parameter["value"] = "allkeys-lru"


_REDIS = "aws_elasticache_replication_group.this[0]"
_BLUE = "aws_lb_target_group.blue"
_ALARM = 'aws_cloudwatch_metric_alarm.errors["5xx-critical"]'

MISTAKES: dict[str, tuple[checks.Check, Mistake]] = {
    "weights sum to 90": (checks.check_weights, _set_weight),
    "one colour only": (checks.check_weights, _drop_a_colour),
    "Redis open to the world": (checks.check_redis_is_unreachable, _open_redis_to_the_world),
    "Redis open to the load balancer": (
        checks.check_redis_is_unreachable,
        _write(
            "aws_vpc_security_group_ingress_rule",
            "backend_from_load_balancer",
            security_group_id={"references": ["aws_security_group.redis"]},
        ),
    ),
    "rules inside a group": (
        checks.check_redis_is_unreachable,
        _write("aws_security_group", "redis", ingress={"constant_value": []}),
    ),
    "a way out for Redis": (
        checks.check_redis_is_unreachable,
        _write(
            "aws_route", "private_out", route_table_id={"references": ["aws_route_table.isolated"]}
        ),
    ),
    "no TLS to Redis": (
        checks.check_redis_is_guarded,
        _set(_REDIS, "transit_encryption_enabled", False),
    ),
    "TLS to Redis as one likes": (
        checks.check_redis_is_guarded,
        _set(_REDIS, "transit_encryption_mode", "preferred"),
    ),
    "no AUTH": (checks.check_redis_is_guarded, _set(_REDIS, "auth_token", None)),
    "Redis in plain on the disk": (
        checks.check_redis_is_guarded,
        _set(_REDIS, "at_rest_encryption_enabled", "false"),
    ),
    "Redis in one zone": (checks.check_redis_is_guarded, _set(_REDIS, "multi_az_enabled", False)),
    "no replica": (checks.check_redis_is_guarded, _set(_REDIS, "replicas_per_node_group", 0)),
    "eviction": (checks.check_eviction, _evict),
    "a subnet that gives public addresses": (
        checks.check_no_public_addresses,
        _set('aws_subnet.private["a"]', "map_public_ip_on_launch", True),
    ),
    "backends in public subnets": (checks.check_no_public_addresses, _move_machines),
    "Redis in public subnets": (checks.check_no_public_addresses, _move("redis", "public")),
    "a silent alarm": (alarm_checks.check_alarms_act, _set(_ALARM, "alarm_actions", [])),
    "an alarm switched off": (
        alarm_checks.check_alarms_act,
        _set(_ALARM, "actions_enabled", False),
    ),
    **ALARM_MISTAKES,
    **RUNNER_MISTAKES,
    "*:*": (checks.check_least_privilege, _allow("*", "*")),
    "all of a service": (checks.check_least_privilege, _allow("s3:*", "arn:aws:s3:::a")),
    "writing on everything": (
        checks.check_least_privilege,
        _allow("ec2:TerminateInstances", "*"),
    ),
    "reading every secret": (
        checks.check_least_privilege,
        _allow("secretsmanager:GetSecretValue", "*"),
    ),
    "a short idle timeout": (checks.check_websockets, _set("aws_lb.this", "idle_timeout", 60)),
    "requests that are not logged": (
        checks.check_logs,
        _set_in_block("aws_lb.this", "access_logs", "enabled", False),
    ),
    "flows that are not logged": (checks.check_logs, lambda plan: plan.remove("aws_flow_log.this")),
    "a short drain": (checks.check_websockets, _set(_BLUE, "deregistration_delay", "30")),
    "stickiness": (
        checks.check_websockets,
        _set_in_block(_BLUE, "stickiness", "enabled", True),
    ),
    "a shallow health check": (
        checks.check_websockets,
        _set_in_block(_BLUE, "health_check", "path", "/"),
    ),
    "no way to green": (checks.check_websockets, _aim_rule_elsewhere),
    "old TLS": (
        checks.check_https,
        _set("aws_lb_listener.https", "ssl_policy", "ELBSecurityPolicy-2016-08"),
    ),
    "plain HTTP": (
        checks.check_https,
        _set_in_block("aws_lb_listener.http", "default_action", "type", "forward"),
    ),
    "a secret in the plan": (
        checks.check_secrets,
        _set("aws_secretsmanager_secret_version.redis", "secret_string", "hunter2"),
    ),
}

MACHINE_MISTAKES: dict[str, tuple[checks.Check, Mistake]] = {
    "public machines": (
        checks.check_no_public_addresses,
        _set_in_block(
            "aws_launch_template.this[0]",
            "network_interfaces",
            "associate_public_ip_address",
            "true",
        ),
    ),
    "IMDSv1": (checks.check_machines, _expose_credentials),
    "a plain disk": (checks.check_machines, _leave_disk_plain),
    "a hung container is not replaced": (task_checks.check_containers, _define(healthCheck={})),
    "readiness replaces a container": (
        task_checks.check_containers,
        _define(healthCheck={"command": ["CMD", "curl", "http://127.0.0.1:9001/readyz"]}),
    ),
    "killed while it drains": (task_checks.check_containers, _define(stopTimeout=30)),
    "root in the container": (task_checks.check_containers, _define(user="0")),
    "a container that can be changed": (
        task_checks.check_containers,
        _define(readonlyRootFilesystem=False),
    ),
    "a log on the machine": (
        task_checks.check_containers,
        _define(logConfiguration={"logDriver": "json-file"}),
    ),
    "1024 open files": (task_checks.check_containers, _define(ulimits=[])),
    "a plain secret in the task definition": (
        task_checks.check_container_secrets,
        _define(environment=[{"name": "ISSHONI_ADMIN_TOKEN", "value": "hunter2"}]),
    ),
    "no secrets from ECS": (task_checks.check_container_secrets, _define(secrets=[])),
    "tasks anywhere": (
        task_checks.check_services,
        _set("aws_ecs_service.this[0]", "scheduling_strategy", "REPLICA"),
    ),
    "a service that the balancer restarts": (
        task_checks.check_services,
        _set("aws_ecs_service.this[0]", "load_balancer", [{"container_port": 9001}]),
    ),
    "machines end with their users": (
        task_checks.check_services,
        lambda plan: plan.remove("aws_autoscaling_lifecycle_hook.evacuate[0]"),
    ),
    "readiness replaces machines": (
        task_checks.check_services,
        _set("aws_autoscaling_group.this[0]", "health_check_type", "ELB"),
    ),
    "a candidate that shrinks": (
        task_checks.check_services,
        _set("aws_autoscaling_group.this[0]", "protect_from_scale_in", False),
    ),
}
"""In the plan of a colour."""

_COPY = "module.state.aws_s3_bucket_replication_configuration.this"
_COPY_BACK = "module.state.aws_s3_bucket_replication_configuration.back"
STATE_MISTAKES: dict[str, tuple[checks.Check, Mistake]] = {
    "an open bucket": (
        checks.check_state,
        _set("aws_s3_bucket_public_access_block.this", "block_public_policy", False),
    ),
    "no versions": (
        checks.check_state,
        _set_in_block(
            "aws_s3_bucket_versioning.this", "versioning_configuration", "status", "Suspended"
        ),
    ),
    "a copy that is off": (checks.check_state, _set_in_block(_COPY, "rule", "status", "Disabled")),
    "no copy": (checks.check_state, lambda plan: plan.remove(_COPY)),
    "no copy of the second region's states": (
        checks.check_state,
        lambda plan: plan.remove(_COPY_BACK),
    ),
    "a bucket in plain": (
        checks.check_state,
        lambda plan: plan.remove("aws_s3_bucket_server_side_encryption_configuration.replica"),
    ),
}
