"""What must hold of alarms, of what they notify through, and of timeouts: see `checks`."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from isshoni.backend.settings.settings import KEEP_ALIVE_SECONDS
from tests.support.terraform.plan import Plan, Resource, references, statements

Check = Callable[[Plan], list[str]]

_REDIS_METRICS = {
    "CurrConnections",
    "DatabaseMemoryUsagePercentage",
    "EngineCPUUtilization",
    "NetworkBandwidthInAllowanceExceeded",
    "NetworkBandwidthOutAllowanceExceeded",
    "ReplicationLag",
}
_FLOOR = re.compile(r">= \d+ AND .*>= \d+")


def check_alarms_act(plan: Plan) -> list[str]:
    """Return the alarms that notify no one."""
    return [
        f"{alarm.address}: notifies no one"
        for alarm in plan.of_type("aws_cloudwatch_metric_alarm", "aws_cloudwatch_composite_alarm")
        if not alarm.has("alarm_actions") or alarm.values.get("actions_enabled") is False
    ]


def check_alarms_of_environment(plan: Plan) -> list[str]:
    """Return the alarms about a whole environment that it lacks."""
    balancers = len(plan.of_type("aws_lb"))
    if not balancers:
        return []
    alarms = plan.of_type("aws_cloudwatch_metric_alarm", "aws_cloudwatch_composite_alarm")
    names = [alarm.values["alarm_name"] for alarm in alarms]
    paging, wanted = ["5xx-critical"], ["5xx-over-target", "sick-target", "down"]
    # Where no client need be connected at night, as in staging, there is no alarm about that.
    if _expects_connections(plan):
        paging.append("no-connections")
    faults = [
        f"no alarm {kind}"
        for kind in (*wanted, *paging)
        if sum(name.endswith(f"-{kind}") for name in names) != balancers
    ]
    for alarm in plan.of_type("aws_cloudwatch_composite_alarm"):
        rule = alarm.values.get("alarm_rule") or ""
        faults += [f"{alarm.address}: leaves out {k}" for k in paging if f'-{k}")' not in rule]
    return faults


def _expects_connections(plan: Plan) -> bool:
    return any(
        expressions.get("expects_connections", {}).get("constant_value") is True
        for _, expressions in plan.calls("region")
    )


def check_alarm_floors(plan: Plan) -> list[str]:
    """Return the alarms about 5xx that one bad answer in a quiet minute would raise."""
    return [
        f"{alarm.address}: has no floor of volume"
        for alarm in plan.of_type("aws_cloudwatch_metric_alarm")
        if any("5XX" in metric["metric_name"] for metric, _ in _metrics(alarm))
        and not any(map(_FLOOR.search, _expressions(alarm)))
    ]


def check_alarms_of_colours(plan: Plan) -> list[str]:
    """Return the colours without an alarm that can roll a deploy to them back."""
    faults, balancers = [], len(plan.of_type("aws_lb"))
    for kind in ("5xx", "unhealthy-targets"):
        for colour in ("blue", "green"):
            alarms = [
                alarm
                for alarm in plan.of_type("aws_cloudwatch_metric_alarm")
                if alarm.values["alarm_name"].endswith(f"{kind}-{colour}")
            ]
            about_it = [
                alarm
                for alarm in alarms
                if all(_is_about(metric, colour) for metric in _metrics(alarm))
            ]
            if len(about_it) != balancers:
                faults.append(f"no alarm {kind} is about {colour} alone")
    return faults


def check_redis_alarms(plan: Plan) -> list[str]:
    """Return what no alarm watches on a node of Redis."""
    watched: dict[str, set[str]] = {}
    for alarm in plan.of_type("aws_cloudwatch_metric_alarm"):
        if node := (alarm.values.get("dimensions") or {}).get("CacheClusterId"):
            watched.setdefault(node, set()).add(alarm.values["metric_name"])
    missing = {node: sorted(_REDIS_METRICS - metrics) for node, metrics in watched.items()}
    faults = [
        f"{node}: no alarm about {', '.join(names)}" for node, names in missing.items() if names
    ]
    if plan.of_type("aws_elasticache_replication_group") and not watched:
        faults.append("no alarm is about Redis")
    return faults


def check_short_writes(plan: Plan) -> list[str]:
    """Return what no alarm says of writes that Redis's replicas do not have."""
    alarms = [
        alarm
        for alarm in plan.of_type("aws_cloudwatch_metric_alarm")
        if "WritesShortOfReplicas" in {metric["metric_name"] for metric, _ in _metrics(alarm)}
        and alarm.values["threshold"] == 0
        and {"blue", "green"} == {metric["dimensions"]["Colour"] for metric, _ in _metrics(alarm)}
    ]
    if len(alarms) != len(plan.of_type("aws_lb")):
        return ["no alarm is about writes that the replicas of Redis do not have"]
    return []


def check_own_metrics(plan: Plan) -> list[str]:
    """Return the alarms that mix up the environments of an account."""
    return [
        f"{alarm.address}: reads {metric['metric_name']} of every environment"
        for alarm in plan.of_type("aws_cloudwatch_metric_alarm")
        for metric, _ in _metrics(alarm)
        if not metric["namespace"].startswith("AWS/")
        and "Environment" not in (metric.get("dimensions") or {})
    ]


def check_notifications(plan: Plan) -> list[str]:
    """Return the topics to which a service that should publish cannot."""
    return [
        *_find_services_without_key(plan),
        *_find_services_kept_out(plan),
        *_find_wrong_encryption(plan),
        *_find_wrong_ends(plan),
    ]


def _find_services_without_key(plan: Plan) -> Iterator[str]:
    for key in plan.of_type("aws_kms_key"):
        if key.address.endswith("observability.aws_kms_key.alerts"):
            for service in ("cloudwatch", "events"):
                if not _lets(key.values["policy"], service, "kms:GenerateDataKey*"):
                    yield f"{key.address}: {service} cannot encrypt for the topic"


def _find_services_kept_out(plan: Plan) -> Iterator[str]:
    for policy in plan.of_type("aws_sns_topic_policy"):
        of_redis = policy.address.endswith(".redis")
        for service in ("elasticache",) if of_redis else ("cloudwatch", "events"):
            if not _lets(policy.values["policy"], service, "sns:Publish"):
                yield f"{policy.address}: {service} cannot publish"


def _find_wrong_encryption(plan: Plan) -> Iterator[str]:
    for topic in plan.of_type("aws_sns_topic"):
        encrypted, of_redis = topic.has("kms_master_key_id"), topic.address.endswith(".redis")
        if encrypted and of_redis:
            yield f"{topic.address}: ElastiCache publishes to no encrypted topic"
        if not encrypted and not of_redis:
            yield f"{topic.address}: is not encrypted"


def _find_wrong_ends(plan: Plan) -> Iterator[str]:
    for name, expressions in plan.written("aws_cloudwatch_event_target"):
        if "aws_sns_topic.alerts" not in references(expressions, "arn"):
            yield f"aws_cloudwatch_event_target.{name}: does not lead to the team"
    for name, expressions in plan.calls("redis"):
        if "module.observability.redis_topic_arn" not in references(
            expressions, "alerts_topic_arn"
        ):
            yield f"module.{name}: ElastiCache publishes to no encrypted topic"


def check_keep_alive(plan: Plan) -> list[str]:
    """Return the load balancers that keep an idle connection longer than the backends do."""
    return [
        f"{balancer.address}: keeps idle connections for {balancer.values['idle_timeout']} s, "
        f"the backends for {KEEP_ALIVE_SECONDS:g} s: it would answer 502"
        for balancer in plan.of_type("aws_lb")
        if balancer.values["idle_timeout"] + 10 > KEEP_ALIVE_SECONDS
    ]


def _metrics(alarm: Resource) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each metric of an alarm, and what of it is only known after the apply."""
    if alarm.values.get("metric_name"):
        yield alarm.values, alarm.unknown
    unknown = alarm.unknown.get("metric_query") or []
    for index, query in enumerate(alarm.values.get("metric_query") or []):
        for number, metric in enumerate(query.get("metric") or []):
            later = unknown[index] if isinstance(unknown, list) and index < len(unknown) else {}
            yield metric, (later.get("metric") or [{}] * (number + 1))[number]


def _is_about(metric: tuple[dict[str, Any], dict[str, Any]], colour: str) -> bool:
    """True if a metric has a target group, or is the backends' own of a colour."""
    known, later = (part.get("dimensions") or {} for part in metric)
    if isinstance(known, dict) and known.get("Colour"):
        return bool(known["Colour"] == colour)
    return "TargetGroup" in known or later is True or "TargetGroup" in later


def _expressions(alarm: Resource) -> list[str]:
    return [query.get("expression") or "" for query in alarm.values.get("metric_query") or []]


def _lets(policy: str, service: str, action: str) -> bool:
    """True if a policy allows an action to a service."""
    for statement in statements(policy):
        services = (
            statement["Principal"].get("Service", []) if statement["Principal"] != "*" else []
        )
        actions = statement["Action"]
        named = services if isinstance(services, list) else [services]
        allowed = actions if isinstance(actions, list) else [actions]
        if f"{service}.amazonaws.com" in named and action in allowed:
            return True
    return False
