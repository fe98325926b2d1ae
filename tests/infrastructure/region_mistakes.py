"""Mistakes about two regions to plant in a plan; see `mistakes`."""

from collections.abc import Callable

from tests.support.terraform import checks, region_checks
from tests.support.terraform.plan import Plan

Mistake = Callable[[Plan], None]
_REDIS = "aws_elasticache_replication_group.this[0]"
_GLOBAL, _SECOND = "multi-region/global", "multi-region/second"
_PEERING = "multi-region/peering"
_PUBLIC = 'aws_route53_record.public["%s"]'


def _set(end: str, attribute: str, value: object) -> Mistake:
    def plant(plan: Plan) -> None:
        resource = plan.get(end)
        resource.values[attribute] = value
        resource.unknown.pop(attribute, None)

    return plant


def _let_a_region_switch_itself(plan: Plan) -> None:
    alias = plan.get("aws_route53_record.regional").values["alias"][0]
    alias["evaluate_target_health"] = True


def _turn_every_switch(plan: Plan) -> None:
    (written,) = region_checks.find_documents(plan, "switch")
    written["statement"][0]["resources"] = {"constant_value": ["arn:aws:route53:::healthcheck/*"]}


def _prove_the_public_name_too(plan: Plan) -> None:
    for change in plan.document["resource_changes"]:
        change["address"] = change["address"].replace('proof["eu-central-1.', 'proof["')


def _alarm_a_standby(end: str) -> Mistake:
    def plant(plan: Plan) -> None:
        for query in plan.get(f"aws_cloudwatch_metric_alarm.{end}").values["metric_query"]:
            query["metric"] = [m for m in query["metric"] if m["metric_name"] != "StandbyProcesses"]

    return plant


REGION_MISTAKES: dict[str, tuple[str, checks.Check, Mistake]] = {
    **{
        f"a secondary with its own {name}": (
            _SECOND,
            region_checks.check_global_datastore,
            _set(_REDIS, name, value),
        )
        for name, value in {
            "at_rest_encryption_enabled": "true",
            "auth_token": "a" * 64,
            "engine_version": "7.1",
            "node_type": "cache.r7g.large",
            "num_node_groups": 2,
            "snapshot_name": "before",
            "transit_encryption_enabled": True,
        }.items()
    },
    "a secondary in one zone": (
        _SECOND,
        region_checks.check_global_datastore,
        _set(_REDIS, "multi_az_enabled", False),
    ),
    "a name that follows the target groups": (
        _SECOND,
        region_checks.check_dns,
        _let_a_region_switch_itself,
    ),
    "a record that the other region's certificate needs": (
        _SECOND,
        region_checks.check_dns,
        _prove_the_public_name_too,
    ),
    "a health check that measures": (
        _GLOBAL,
        region_checks.check_dns,
        _set("aws_route53_health_check.switch", "disabled", False),
    ),
    "a second switch": (
        _GLOBAL,
        region_checks.check_dns,
        _set(_PUBLIC % "SECONDARY", "health_check_id", "another"),
    ),
    "a name that is kept for an hour": (
        _GLOBAL,
        region_checks.check_dns,
        _set(_PUBLIC % "PRIMARY", "ttl", 3600),
    ),
    "a standby whose lag is not watched": (
        _SECOND,
        region_checks.check_pair_alarms,
        lambda plan: plan.remove(
            'aws_cloudwatch_metric_alarm.redis["redis-global-lag-isshoni-0001-001"]'
        ),
    ),
    **{
        f"a standby that raises {end}": (
            _SECOND,
            region_checks.check_pair_alarms,
            _alarm_a_standby(end),
        )
        for end in (
            "no_connections[0]",
            "sick_target",
            'unhealthy_targets["green"]',
            'errors["5xx-critical"]',
            'errors["5xx-over-target"]',
            'colour_errors["green"]',
        )
    },
    "an admin port that every address reaches": (
        _PEERING,
        region_checks.check_peering,
        _set("aws_vpc_security_group_ingress_rule.second", "cidr_ipv4", "0.0.0.0/0"),
    ),
    "every port open to the other region": (
        _PEERING,
        region_checks.check_peering,
        _set("aws_vpc_security_group_ingress_rule.first", "to_port", 65535),
    ),
    "a way from one region to everywhere": (
        _PEERING,
        region_checks.check_peering,
        _set("aws_route.first[1]", "destination_cidr_block", "0.0.0.0/0"),
    ),
    "a role that turns every switch": (_GLOBAL, checks.check_least_privilege, _turn_every_switch),
}
"""By the composition that each is planted in."""
