"""Mistakes about alarms, notifications and timeouts to plant in a plan; see `mistakes`."""

import json
from collections.abc import Callable
from typing import Any

from tests.support.terraform import alarm_checks as checks
from tests.support.terraform.plan import Plan

Mistake = Callable[[Plan], None]
_KEY = "observability.aws_kms_key.alerts"
_TOPIC = "aws_sns_topic_policy.alerts"
_REDIS_TOPIC = "aws_sns_topic_policy.redis"
_GREEN = 'aws_cloudwatch_metric_alarm.colour_errors["green"]'


def _forbid(end: str, service: str) -> Mistake:
    """Remove what a policy allows to a service."""

    def plant(plan: Plan) -> None:
        values = plan.get(end).values
        policy = json.loads(values["policy"])
        policy["Statement"] = [
            statement
            for statement in policy["Statement"]
            if f"{service}.amazonaws.com" not in json.dumps(statement["Principal"])
        ]
        values["policy"] = json.dumps(policy)

    return plant


def _set(end: str, attribute: str, value: object) -> Mistake:
    def plant(plan: Plan) -> None:
        resource = plan.get(end)
        resource.values[attribute] = value
        resource.unknown.pop(attribute, None)

    return plant


def _queries(plan: Plan, end: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = plan.get(end).values["metric_query"]
    return found


def _drop_floor(end: str) -> Mistake:
    def plant(plan: Plan) -> None:
        for query in _queries(plan, end):
            if query["return_data"]:
                query["expression"] = "100 * bad / answers"

    return plant


def _watch_both_colours(plan: Plan) -> None:
    alarm = plan.get(_GREEN)
    alarm.unknown["metric_query"][0]["metric"][0] = {}
    alarm.values["metric_query"][0]["metric"][0]["dimensions"] = {"LoadBalancer": "app/a/1"}


def _mix_environments(plan: Plan) -> None:
    for query in _queries(plan, "aws_cloudwatch_metric_alarm.no_connections[0]"):
        for metric in query["metric"]:
            metric["dimensions"].pop("Environment")


def _forget_green(plan: Plan) -> None:
    values = plan.get("aws_cloudwatch_metric_alarm.short_writes").values
    values["metric_query"] = [query for query in values["metric_query"] if query["id"] != "green"]


def _page_for_errors_alone(plan: Plan) -> None:
    values = plan.get("aws_cloudwatch_composite_alarm.down[0]").values
    values["alarm_rule"] = values["alarm_rule"].partition(" OR ")[0]


def _forget(kind: str) -> Mistake:
    """Remove an alarm of the first node of Redis."""
    return lambda plan: plan.remove(
        f'aws_cloudwatch_metric_alarm.redis["redis-{kind}-isshoni-0001-001"]'
    )


def _lead_elsewhere(plan: Plan) -> None:
    dict(plan.written("aws_cloudwatch_event_target"))["redis"]["arn"] = {"references": []}


def _notify_encrypted_topic(plan: Plan) -> None:
    ((_, expressions),) = plan.calls("redis")
    expressions["alerts_topic_arn"] = {"references": ["module.observability.sns_topic_arn"]}


ALARM_MISTAKES: dict[str, tuple[checks.Check, Mistake]] = {
    **{
        f"no alarm {end}": (
            checks.check_alarms_of_environment,
            lambda plan, end=end: plan.remove(f"aws_cloudwatch_{end}"),  # type: ignore[misc]
        )
        for end in (
            'metric_alarm.errors["5xx-over-target"]', 'metric_alarm.errors["5xx-critical"]',
            "metric_alarm.sick_target", "metric_alarm.no_connections[0]", "composite_alarm.down[0]",
        )
    },
    "a page for errors alone": (checks.check_alarms_of_environment, _page_for_errors_alone),
    "5xx by share alone": (
        checks.check_alarm_floors,
        _drop_floor('aws_cloudwatch_metric_alarm.errors["5xx-critical"]'),
    ),
    "5xx of a colour by share alone": (checks.check_alarm_floors, _drop_floor(_GREEN)),
    "green judged by both colours": (checks.check_alarms_of_colours, _watch_both_colours),
    "no alarm about blue's targets": (
        checks.check_alarms_of_colours,
        lambda plan: plan.remove('aws_cloudwatch_metric_alarm.unhealthy_targets["blue"]'),
    ),
    **{
        f"no {kind} of Redis": (checks.check_redis_alarms, _forget(kind))
        for kind in (
            "connections", "engine-cpu", "memory", "network-in", "network-out", "replication-lag",
        )
    },
    "no alarm about short writes": (
        checks.check_short_writes,
        lambda plan: plan.remove("aws_cloudwatch_metric_alarm.short_writes"),
    ),
    "short writes without green": (
        checks.check_short_writes,
        _forget_green,
    ),
    "a thousand short writes": (
        checks.check_short_writes,
        _set("aws_cloudwatch_metric_alarm.short_writes", "threshold", 1000),
    ),
    "connections of every environment": (checks.check_own_metrics, _mix_environments),
    "CloudWatch without the key": (checks.check_notifications, _forbid(_KEY, "cloudwatch")),
    "EventBridge without the key": (checks.check_notifications, _forbid(_KEY, "events")),
    "CloudWatch kept from the topic": (checks.check_notifications, _forbid(_TOPIC, "cloudwatch")),
    "EventBridge kept from the topic": (checks.check_notifications, _forbid(_TOPIC, "events")),
    "ElastiCache kept from its topic": (
        checks.check_notifications,
        _forbid(_REDIS_TOPIC, "elasticache"),
    ),
    "alerts in plain": (
        checks.check_notifications,
        _set("aws_sns_topic.alerts", "kms_master_key_id", None),
    ),
    "an encrypted topic for ElastiCache": (
        checks.check_notifications,
        _set("aws_sns_topic.redis", "kms_master_key_id", "alias/aws/sns"),
    ),
    "failovers sent to the encrypted topic": (
        checks.check_notifications,
        _notify_encrypted_topic,
    ),
    "events that lead nowhere": (checks.check_notifications, _lead_elsewhere),
    "a balancer that outlasts the backends": (
        checks.check_keep_alive,
        _set("aws_lb.this", "idle_timeout", 180),
    ),
}  # fmt: skip
