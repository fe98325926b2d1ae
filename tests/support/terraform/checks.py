"""What must hold of every plan: each check lists the faults that it finds."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.support.terraform.alarm_checks import (
    check_alarm_floors,
    check_alarms_act,
    check_alarms_of_colours,
    check_alarms_of_environment,
    check_keep_alive,
    check_notifications,
    check_own_metrics,
    check_redis_alarms,
    check_short_writes,
)
from tests.support.terraform.plan import Plan, references, statements
from tests.support.terraform.region_checks import (
    check_dns,
    check_global_datastore,
    check_pair_alarms,
    check_peering,
    is_about_one_health_check,
)
from tests.support.terraform.runner_checks import (
    check_runner,
    check_runner_command,
    check_workflow_trust,
)
from tests.support.terraform.task_checks import (
    check_container_secrets,
    check_containers,
    check_services,
)

Check = Callable[[Plan], list[str]]

_LEAST_IDLE_SECONDS = 120


def check_weights(plan: Plan) -> list[str]:
    """Both colours are in the default action, and their weights sum to 100."""
    faults = []
    for listener in plan.of_type("aws_lb_listener"):
        for action in listener.values["default_action"]:
            if action["type"] != "forward":
                continue
            weights = [group["weight"] for group in action["forward"][0]["target_group"]]
            if len(weights) != 2 or sum(weights) != 100:
                faults.append(f"{listener.address}: weights {weights} are not two that sum to 100")
    return faults


def check_redis_is_unreachable(plan: Plan) -> list[str]:
    """Only the backends' security group gets to Redis, whose subnets lead nowhere."""
    faults = []
    for kind in ("aws_vpc_security_group_ingress_rule", "aws_security_group_rule"):
        for name, expressions in plan.written(kind):
            if "aws_security_group.redis" not in references(expressions, "security_group_id"):
                continue
            source = references(expressions, "referenced_security_group_id")
            if "aws_security_group.backend" not in source or "cidr_ipv4" in expressions:
                faults.append(f"{kind}.{name}: lets others than the backends reach Redis")
    for name, expressions in plan.written("aws_security_group"):
        if "ingress" in expressions:
            faults.append(f"aws_security_group.{name}: has rules that no check can tell apart")
    for name, expressions in plan.written("aws_route"):
        if "aws_route_table.isolated" in references(expressions, "route_table_id"):
            faults.append(f"aws_route.{name}: leads out of the subnets of Redis")
    return faults


def check_redis_is_guarded(plan: Plan) -> list[str]:
    """Redis asks for AUTH and TLS, is encrypted at rest, and survives a zone."""
    faults = []
    wanted = {
        "transit_encryption_enabled": True,
        "at_rest_encryption_enabled": True,
        "automatic_failover_enabled": True,
        "multi_az_enabled": True,
    }
    for group in plan.of_type("aws_elasticache_replication_group"):
        if group.values.get("global_replication_group_id"):
            continue  # check_global_datastore is about it
        faults += [
            f"{group.address}: {name} is {group.values.get(name)}"
            for name, value in wanted.items()
            if str(group.values.get(name)).lower() != str(value).lower()
        ]
        if not group.has("auth_token"):
            faults.append(f"{group.address}: asks for no AUTH token")
        if group.values.get("transit_encryption_mode", "required") == "preferred":
            faults.append(f"{group.address}: takes connections without TLS")
        if (group.values.get("replicas_per_node_group") or 0) < 1:
            faults.append(f"{group.address}: has no replica")
    return faults


def check_eviction(plan: Plan) -> list[str]:
    """Redis refuses writes when it is full: it never throws acknowledged messages away."""
    faults = []
    for group in plan.of_type("aws_elasticache_parameter_group"):
        given = {parameter["name"]: parameter["value"] for parameter in group.values["parameter"]}
        if given.get("maxmemory-policy") != "noeviction":
            faults.append(f"{group.address}: may evict what was acknowledged")
        if given.get("cluster-enabled") != "yes":
            faults.append(f"{group.address}: is not in cluster mode")
    return faults


def check_no_public_addresses(plan: Plan) -> list[str]:
    """Backends and Redis are in subnets without public addresses, and ask for none."""
    faults = []
    for template in plan.of_type("aws_launch_template"):
        for interface in template.values["network_interfaces"]:
            if str(interface["associate_public_ip_address"]).lower() != "false":
                faults.append(f"{template.address}: gives machines public addresses")
    for subnet in plan.of_type("aws_subnet"):
        if subnet.values["map_public_ip_on_launch"]:
            faults.append(f"{subnet.address}: gives public addresses to whatever starts in it")
    # Machines are put where the ground says: the parameter for the colours names their subnets.
    for module, variable, tier in (
        ("published", "colours", "private"),
        ("redis", "subnet_ids", "isolated"),
    ):
        for name, expressions in module_calls(plan, module):
            if f"module.network.{tier}_subnet_ids" not in references(expressions, variable):
                faults.append(f"module.{name}: is not about the {tier} subnets")
    return faults


def check_machines(plan: Plan) -> list[str]:
    """Machines hand out credentials by IMDSv2 only, one hop away, and have encrypted disks."""
    faults = []
    for template in plan.of_type("aws_launch_template"):
        (metadata,) = template.values["metadata_options"]
        if metadata["http_tokens"] != "required" or metadata["http_put_response_hop_limit"] != 1:
            faults.append(f"{template.address}: hands out credentials without IMDSv2")
        for disk in template.values["block_device_mappings"]:
            if str(disk["ebs"][0]["encrypted"]).lower() != "true":
                faults.append(f"{template.address}: has a disk that is not encrypted")
    return faults


_KNOWS_NO_RESOURCES = {
    "ecs:DiscoverPollEndpoint",
    "ecr:GetAuthorizationToken",
    "secretsmanager:GetRandomPassword",
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
}
_READS = ("Describe", "Get", "List")


def check_least_privilege(plan: Plan) -> list[str]:
    """No role may do everything, and on everything it may only read what is no secret."""
    faults = []
    for policy in plan.of_type("aws_iam_role_policy", "aws_iam_policy"):
        if not policy.values.get("policy"):
            if not is_about_one_health_check(plan, policy.address):
                faults.append(f"{policy.address}: cannot be read before the apply")
            continue
        for statement in statements(policy.values["policy"]):
            faults += [f"{policy.address}: {fault}" for fault in _find_excess(statement)]
    return faults


def _find_excess(statement: Mapping[str, Any]) -> Iterator[str]:
    if statement["Effect"] != "Allow":
        return
    actions, resources = _as_list(statement["Action"]), _as_list(statement["Resource"])
    for action in actions:
        verb = action.partition(":")[2]
        if not verb or verb.startswith("*"):
            yield f"may do {action}"
        elif "*" in resources and action not in _KNOWS_NO_RESOURCES:
            if not verb.startswith(_READS) or action == "secretsmanager:GetSecretValue":
                yield f"may do {action} on everything"


def check_websockets(plan: Plan) -> list[str]:
    """The load balancer lets WebSockets live, and `?target=` goes ahead of the weights."""
    faults = []
    for balancer in plan.of_type("aws_lb"):
        if balancer.values["idle_timeout"] < _LEAST_IDLE_SECONDS:
            faults.append(f"{balancer.address}: cuts sockets between two heartbeats")
    for group in plan.of_type("aws_lb_target_group"):
        if int(group.values["deregistration_delay"]) < 300:
            faults.append(f"{group.address}: gives stragglers less than 300 s")
        if any(stickiness["enabled"] for stickiness in group.values["stickiness"]):
            faults.append(f"{group.address}: its cookie sends people back to the colour they left")
        if group.values["health_check"][0]["path"] != "/readyz":
            faults.append(f"{group.address}: its health check does not exercise Redis")
    aimed = [
        (query["key"], query["value"])
        for rule in plan.of_type("aws_lb_listener_rule")
        for condition in rule.values["condition"]
        for query in condition["query_string"]
    ]
    balancers = len(plan.of_type("aws_lb"))
    if sorted(aimed) != sorted([("target", "blue"), ("target", "green")] * balancers):
        faults.append(f"the rules aim at {aimed}, not at ?target=blue and ?target=green")
    return faults


def check_https(plan: Plan) -> list[str]:
    """Whoever comes by HTTP is sent to HTTPS, which speaks TLS 1.2 or newer."""
    faults = []
    for listener in plan.of_type("aws_lb_listener"):
        action = listener.values["default_action"][0]
        if listener.values["protocol"] == "HTTP" and action["type"] != "redirect":
            faults.append(f"{listener.address}: serves people in plain text")
        policy = listener.values.get("ssl_policy") or ""
        if listener.values["protocol"] == "HTTPS" and not policy.startswith(
            "ELBSecurityPolicy-TLS13-1-2"
        ):
            faults.append(f"{listener.address}: speaks old TLS ({policy})")
    return faults


def check_state(plan: Plan) -> list[str]:
    """Buckets are closed to the public, keep versions, are encrypted; the state has a copy."""
    faults = []
    closed = ("block_public_acls", "block_public_policy", "ignore_public_acls")
    for block in plan.of_type("aws_s3_bucket_public_access_block"):
        if not all(block.values[name] for name in (*closed, "restrict_public_buckets")):
            faults.append(f"{block.address}: leaves the bucket open")
    for versioning in plan.of_type("aws_s3_bucket_versioning"):
        if versioning.values["versioning_configuration"][0]["status"] != "Enabled":
            faults.append(f"{versioning.address}: forgets what was overwritten")
    buckets = len(plan.of_type("aws_s3_bucket"))
    for kind in ("public_access_block", "versioning", "server_side_encryption_configuration"):
        if len(plan.of_type(f"aws_s3_bucket_{kind}")) != buckets:
            faults.append(f"not every bucket has a {kind}")
    for copy in plan.of_type("aws_s3_bucket_replication_configuration"):
        if any(rule["status"] != "Enabled" for rule in copy.values["rule"]):
            faults.append(f"{copy.address}: copies nothing")
    of_the_state = [b for b in plan.of_type("aws_s3_bucket") if "-state-" in b.values["bucket"]]
    if len(of_the_state) != len(plan.of_type("aws_s3_bucket_replication_configuration")):
        faults.append("states of a region are in that region only")
    return faults


def check_logs(plan: Plan) -> list[str]:
    """Requests and refused flows are logged."""
    faults = []
    for balancer in plan.of_type("aws_lb"):
        logs = balancer.values.get("access_logs") or [{}]
        if not logs[0].get("enabled"):
            faults.append(f"{balancer.address}: logs no requests")
    if len(plan.of_type("aws_flow_log")) != len(plan.of_type("aws_vpc")):
        faults.append("not every VPC logs its flows")
    return faults


def check_secrets(plan: Plan) -> list[str]:
    """No secret is in the plan."""
    return [
        f"{secret.address}: the secret is in the plan"
        for secret in plan.of_type("aws_secretsmanager_secret_version")
        if secret.values.get("secret_string") or not secret.values.get("secret_string_wo_version")
    ]


CHECKS: tuple[Check, ...] = (
    check_weights,
    check_redis_is_unreachable,
    check_redis_is_guarded,
    check_eviction,
    check_no_public_addresses,
    check_machines,
    check_containers,
    check_container_secrets,
    check_services,
    check_alarms_act,
    check_alarms_of_environment,
    check_alarm_floors,
    check_alarms_of_colours,
    check_redis_alarms,
    check_short_writes,
    check_own_metrics,
    check_notifications,
    check_keep_alive,
    check_global_datastore,
    check_dns,
    check_pair_alarms,
    check_peering,
    check_runner,
    check_runner_command,
    check_workflow_trust,
    check_least_privilege,
    check_websockets,
    check_https,
    check_state,
    check_secrets,
    check_logs,
)


def find_faults(plan: Plan) -> list[str]:
    """List every fault of a plan."""
    return [fault for check in CHECKS for fault in check(plan)]


def module_calls(plan: Plan, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and expressions of every call of a module, however deep."""
    yield from plan.calls(name)


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
