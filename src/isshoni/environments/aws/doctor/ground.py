"""Check the ground for what fires, and for what was changed by hand.

The deployer may not read the ground's state, so no plan is made: its parts are described.
"""

from isshoni.environments.aws.alarms import describe_alarms, read_alarm
from isshoni.environments.aws.doctor.inspected import Inspected, Machines, fetch_machines
from isshoni.environments.aws.errors import NotThere, RuleFault
from isshoni.environments.aws.listener_rules import check_target_rules
from isshoni.environments.checks import Check
from isshoni.plurals import count
from isshoni.rollout.model import COLOURS, Colour

_PENDING = "PendingConfirmation"
_HEALING = frozenset({"Launch", "Terminate", "HealthCheck", "ReplaceUnhealthy"})
"""Processes of a group without which a machine that is gone is not replaced."""


async def check_alarms(inspected: Inspected) -> Check:
    """Check that every alarm exists, notifies, and does not fire."""
    names = inspected.outputs.alarm_names
    described = await describe_alarms(inspected.api, names)
    alarms = {it["AlarmName"]: read_alarm(it, inspected.outputs).colour for it in described}
    states = {it["AlarmName"]: it["StateValue"] for it in described}
    firing = [_describe_firing(n, alarms[n]) for n in alarms if states[n] == "ALARM"]
    silent = [it["AlarmName"] for it in described if not it.get("ActionsEnabled", True)]
    deleted = sorted(set(names) - set(alarms))
    if deleted or silent or firing:
        parts = (("fires", firing), ("deleted", deleted), ("notifies no one", silent))
        detail = "; ".join(f"{words}: {', '.join(found)}" for words, found in parts if found)
        remedy = "find the cause of what fires" if firing else _apply(inspected)
        return Check("alarms", False, detail, remedy)
    vetoing = [name for name, colour in alarms.items() if colour is not None]
    no_data = [name for name, state in states.items() if state == "INSUFFICIENT_DATA"]
    detail = f"none of {len(names)} fires; {len(vetoing)} can roll a deploy back"
    if no_data:
        detail += f"; without data: {', '.join(sorted(no_data))}"
    return Check("alarms", True, detail)


def _describe_firing(name: str, colour: Colour | None) -> str:
    if colour is None:
        return f"{name} (rolls nothing back)"
    return f"{name} (can roll back a deploy to {colour} that runs; not one that begins now)"


async def check_subscriptions(inspected: Inspected) -> Check:
    """Check that the alarms reach somewhere: SNS deletes what is not confirmed in 48 hours."""
    topic = inspected.outputs.sns_topic_arn
    found = await inspected.api.call_all(
        "sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=topic
    )
    pending = sorted(it["Endpoint"] for it in found if it["SubscriptionArn"] == _PENDING)
    confirmed = {it["Endpoint"] for it in found if it["SubscriptionArn"] != _PENDING}
    lost = sorted(set(inspected.outputs.alert_emails) - confirmed - set(pending))
    if lost:
        detail = f"deleted, or never confirmed: {', '.join(lost)}"
        return Check("subscriptions", False, detail, _apply(inspected))
    if pending:
        detail = f"not confirmed: {', '.join(pending)}"
        return Check("subscriptions", False, detail, "confirm it by the link in the mail from SNS")
    if not confirmed:
        detail = "no one gets the alarms"
        return Check("subscriptions", False, detail, "set `alert_emails` of the ground, and apply")
    return Check("subscriptions", True, count(len(confirmed), "subscription"))


async def check_groups(inspected: Inspected) -> Check:
    """Check that no slot was scaled by hand, and that lost machines are replaced."""
    machines = await fetch_machines(inspected)
    names = inspected.outputs.autoscaling_group_names
    answer = await inspected.api.call(
        "autoscaling",
        "describe_auto_scaling_groups",
        AutoScalingGroupNames=[names.of(colour) for colour in COLOURS],
    )
    groups = answer["AutoScalingGroups"]
    sizes = [f"{it['AutoScalingGroupName']} {it['DesiredCapacity']}" for it in groups]
    faults = [fault for group in groups for fault in _find_group_faults(group, machines)]
    if not faults:
        return Check("groups", True, ", ".join(sizes) or "no slot has machines")
    remedy = "deploy: the new version gets what the ground says; or set it back by hand"
    return Check("groups", False, "; ".join(faults), remedy)


def _find_group_faults(group: dict[str, object], machines: Machines) -> list[str]:
    name, size = group["AutoScalingGroupName"], int(str(group["DesiredCapacity"]))
    least, most = machines.instances_per_colour, machines.most
    faults = []
    if most and size and not least <= size <= most:
        said = str(least) if least == most else f"{least} to {most}"
        faults.append(
            f"{name} has {count(size, 'machine')}, the ground says {said}: scaled by hand, or "
            "the ground was changed since"
        )
    processes = group.get("SuspendedProcesses")
    suspended = {it["ProcessName"] for it in processes} if isinstance(processes, list) else set()
    if stopped := sorted(suspended & _HEALING):
        faults.append(f"{name} replaces no lost machine: {', '.join(stopped)} suspended")
    return faults


async def check_rules(inspected: Inspected) -> Check:
    """Check that `?target=` leads to its slot only."""
    try:
        await check_target_rules(inspected.api, inspected.outputs)
    except (RuleFault, NotThere) as fault:
        return Check("rules", False, str(fault), _apply(inspected))
    return Check("rules", True, "?target= leads to the slot that it names")


def _apply(inspected: Inspected) -> str:
    return f"as an administrator: `terraform -chdir={inspected.config.terraform} apply`"
