"""Check that the account may start the machines of a second slot."""

from typing import Any

from isshoni.environments.aws.doctor.inspected import Inspected, fetch_machines
from isshoni.environments.aws.groups import Groups
from isshoni.environments.checks import Check
from isshoni.rollout.model import COLOURS

QUOTA_CODE = "L-1216C47A"
"""Running On-Demand Standard instances, in vCPUs."""
_STANDARD = frozenset("acdhimrtz")
"""The families that count against it, by their first letter."""


async def check_quota(inspected: Inspected) -> Check:
    """Check the vCPU quota: a rollout runs the machines of both slots."""
    machines = await fetch_machines(inspected)
    kind = machines.instance_type
    if not _is_standard(kind):
        return Check("quota", True, f"not checked: {kind or 'the machine type'} has another quota")
    quota = await inspected.api.call(
        "service-quotas", "get_service_quota", ServiceCode="ec2", QuotaCode=QUOTA_CODE
    )
    allowed = int(quota["Quota"]["Value"])
    used, each = await _count_used(inspected), await _count_vcpus(inspected, kind)
    groups = await Groups(inspected.api, inspected.outputs, 1.0).observe()
    wanted = [groups[colour].wanted for colour in COLOURS]
    more = each * (max(*wanted, machines.instances_per_colour) if 0 in wanted else 0)
    detail = f"{used} of {allowed} vCPUs are used; the machines of the other slot need {more}"
    remedy = (
        "before a deploy: `aws service-quotas request-service-quota-increase --service-code ec2 "
        f"--quota-code {QUOTA_CODE} --desired-value {2 * (used + more)}`"
    )
    return Check("quota", used + more <= allowed, detail, remedy)


async def _count_vcpus(inspected: Inspected, kind: str) -> int:
    answer = await inspected.api.call("ec2", "describe_instance_types", InstanceTypes=[kind])
    return int(answer["InstanceTypes"][0]["VCpuInfo"]["DefaultVCpus"])


async def _count_used(inspected: Inspected) -> int:
    """Return the vCPUs of the account's machines that count against the quota."""
    states = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    found = await inspected.api.call_all(
        "ec2", "describe_instances", "Reservations", Filters=states
    )
    return sum(
        _vcpus_of(instance)
        for reservation in found
        for instance in reservation["Instances"]
        if _is_standard(instance["InstanceType"]) and "InstanceLifecycle" not in instance
    )


def _vcpus_of(instance: dict[str, Any]) -> int:
    options = instance.get("CpuOptions", {})
    return int(options.get("CoreCount", 1)) * int(options.get("ThreadsPerCore", 1))


def _is_standard(kind: str) -> bool:
    return kind[:1] in _STANDARD and not kind.startswith(("inf", "mac", "dl", "hpc"))
