"""What must hold of two regions: Redis that follows, and names that no measurement switches."""

from typing import Any

from tests.support.terraform.plan import Plan, references

_FROM_THE_PRIMARY = (
    "at_rest_encryption_enabled", "auth_token", "engine_version", "node_type", "num_node_groups",
    "parameter_group_name", "snapshot_name", "transit_encryption_enabled",
    "transit_encryption_mode",
)  # fmt: skip
"""What a secondary of a Global Datastore has from its primary, and must not be given.

`engine` is not among them: the provider fills in "redis" by itself."""
_SWITCH = {"route53:GetHealthCheck", "route53:UpdateHealthCheck"}


def check_global_datastore(plan: Plan) -> list[str]:
    """Return what a secondary is given that it has from the primary, and groups in one zone."""
    faults = []
    for group in plan.of_type("aws_elasticache_replication_group"):
        if not group.values.get("global_replication_group_id"):
            continue
        given = [name for name in _FROM_THE_PRIMARY if group.values.get(name) not in (None, "")]
        faults += [f"{group.address}: {name} comes from the primary" for name in given]
        if not group.values["multi_az_enabled"] or group.values["replicas_per_node_group"] < 1:
            faults.append(f"{group.address}: does not survive a zone")
    return faults


def check_dns(plan: Plan) -> list[str]:
    """Return the records that something else than an operator or a failover switches.

    And one that two states would make.
    """
    faults = []
    for record in plan.of_type("aws_route53_record"):
        if any(alias["evaluate_target_health"] for alias in record.values.get("alias") or []):
            faults.append(f"{record.address}: a booting candidate makes it fail")
        for policy in record.values.get("failover_routing_policy") or []:
            if record.has("health_check_id") != (policy["type"] == "PRIMARY"):
                faults.append(f"{record.address}: only the primary's record has a switch")
            if not 0 < (record.values.get("ttl") or 0) <= 60:
                faults.append(f"{record.address}: resolvers keep it for over a minute")
    faults += [
        f"{check.address}: switches by itself"
        for check in plan.of_type("aws_route53_health_check")
        if not check.values["disabled"]
    ]
    if _is_paired(plan) and find_domain(plan) in find_proven(plan):
        faults.append("the record that proves the public name to ACM is the global part's")
    return faults


def find_proven(plan: Plan) -> set[str]:
    """Return the names of which a plan makes the record that ACM asks for."""
    addresses = [record.address for record in plan.of_type("aws_route53_record")]
    return {each.split('"')[1] for each in addresses if ".proof[" in each}


def find_domain(plan: Plan) -> str | None:
    """Return the name that users open."""
    domain: str | None = plan.document["variables"].get("domain_name", {}).get("value")
    return domain


def check_peering(plan: Plan) -> list[str]:
    """Return what of one region another one reaches besides its admin ports."""
    if not plan.of_type("aws_vpc_peering_connection"):
        return []
    faults = [
        f"{rule.address}: lets in more than the other runner, to the admin port"
        for rule in plan.of_type("aws_vpc_security_group_ingress_rule")
        if not rule.values["cidr_ipv4"].endswith("/20")
        or (rule.values["from_port"], rule.values["to_port"]) != (_ADMIN_PORT, _ADMIN_PORT)
    ]
    networks = {plan.document["variables"][part]["value"]["cidr"] for part in ("first", "second")}
    routes = plan.of_type("aws_route")
    faults += [
        f"{route.address}: leads to more than the other network"
        for route in routes
        if route.values["destination_cidr_block"] not in networks
    ]
    led = {route.values["destination_cidr_block"] for route in routes}
    return faults + [f"no route leads to {network}" for network in sorted(networks - led)]


_ADMIN_PORT = 9101


def check_pair_alarms(plan: Plan) -> list[str]:
    """Return the alarms that a region which may stand by lacks, or that its standby would raise."""
    if not _is_paired(plan):
        return []
    alarms = [alarm.values for alarm in plan.of_type("aws_cloudwatch_metric_alarm")]
    lag = {a["dimensions"]["CacheClusterId"] for a in alarms if a["metric_name"] == _LAG}
    nodes = {a["dimensions"]["CacheClusterId"] for a in alarms if a["metric_name"] == _MEMORY}
    faults = [f"{node}: no alarm about {_LAG}" for node in sorted(nodes - lag)]
    for alarm in alarms:
        metrics = {m["metric_name"] for q in alarm["metric_query"] or [] for m in q["metric"]}
        if _UNTRUE_OF_A_STANDBY & metrics and "StandbyProcesses" not in metrics:
            faults.append(f"{alarm['alarm_name']}: fires in a standby")
    return faults


_UNTRUE_OF_A_STANDBY = {
    "ActiveWebSocketConnections", "UnHealthyHostCount", "HTTPCode_Target_5XX_Count",
    "HTTPCode_ELB_5XX_Count",
}  # fmt: skip
"""A standby has no clients, its targets are not ready, and it answers 503."""
_LAG = "GlobalDatastoreReplicationLag"
_MEMORY = "DatabaseMemoryUsagePercentage"


def _is_paired(plan: Plan) -> bool:
    """True if the plan is of one of two regions: its public name is made elsewhere."""
    names = {record.values.get("name") for record in plan.of_type("aws_route53_record")}
    return bool(plan.of_type("aws_lb")) and find_domain(plan) not in names


def is_about_one_health_check(plan: Plan, address: str) -> bool:
    """True if a policy is written to let only the switch be read and turned."""
    if not address.endswith("module.failover.aws_iam_role_policy.switch"):
        return False
    (written,) = find_documents(plan, "switch")
    statements = written["statement"]
    return all(
        set(statement["actions"]["constant_value"]) == _SWITCH
        and set(references(statement, "resources"))
        == {"aws_route53_health_check.switch.arn", "aws_route53_health_check.switch"}
        for statement in statements
    )


def find_documents(plan: Plan, name: str) -> list[dict[str, Any]]:
    pending, found = [plan.document["configuration"]["root_module"]], []
    while pending:
        module = pending.pop()
        found += [
            resource["expressions"]
            for resource in module.get("resources", [])
            if (resource["mode"], resource["type"], resource["name"])
            == ("data", "aws_iam_policy_document", name)
        ]
        pending += [call["module"] for call in module.get("module_calls", {}).values()]
    return found
