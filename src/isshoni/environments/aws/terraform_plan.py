"""Read a Terraform plan: which resources it would change."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from isshoni.environments.aws.errors import TerraformFault

_MARKS = {"create": "+", "delete": "-", "update": "~", "read": "?"}
_WORDS = {"create": "create", "delete": "destroy", "update": "change", "read": "read"}
_OF_THE_SLOT = "module.colour."


@dataclass(frozen=True)
class Change:
    """One resource that a plan changes."""

    address: str
    actions: tuple[str, ...]

    def __str__(self) -> str:
        marks = "/".join(_MARKS.get(action, action) for action in self.actions)
        return f"{marks} {self.address}"

    @property
    def in_words(self) -> str:
        """What happens to the resource: "create module.colour.aws_launch_template.this[0]"."""
        verbs = [_WORDS.get(action, action) for action in self.actions]
        replaced = sorted(self.actions) == ["create", "delete"]
        return f"{'replace' if replaced else ' and '.join(verbs)} {self.address}"


@dataclass(frozen=True)
class Machines:
    """The machines that a slot will have."""

    kind: str
    count: int
    disk_gb: int


@dataclass(frozen=True)
class Planned:
    """A plan: its changes, and the machines of the slot after it, if it starts any."""

    changes: list[Change]
    machines: Machines | None = None


class _Detail(msgspec.Struct):
    actions: tuple[str, ...]
    after: dict[str, Any] | None = None


class _ResourceChange(msgspec.Struct):
    address: str
    change: _Detail
    type: str = ""


class _Variable(msgspec.Struct):
    value: Any = None


class _Plan(msgspec.Struct):
    variables: dict[str, _Variable] = {}
    resource_changes: list[_ResourceChange] = []


def read_changes(written: bytes) -> list[Change]:
    """Return the changes in the output of `terraform show -json`."""
    return read_plan(written).changes


def read_plan(written: bytes) -> Planned:
    """Return the plan in the output of `terraform show -json`."""
    try:
        plan = msgspec.json.decode(written, type=_Plan)
    except msgspec.MsgspecError as fault:
        raise TerraformFault("show", f"its plan cannot be read: {fault}") from None
    changes = [Change(c.address, c.change.actions) for c in plan.resource_changes]
    changed = [c for c in changes if c.actions not in (("no-op",), ("read",))]
    return Planned(changed, _find_machines(plan))


def _find_machines(plan: _Plan) -> Machines | None:
    started = {c.type: c.change.after for c in plan.resource_changes if c.change.after}
    group, template = started.get("aws_autoscaling_group"), started.get("aws_launch_template")
    if not group or not template or not template.get("instance_type"):
        return None
    disks = [ebs for disk in template.get("block_device_mappings") or () for ebs in disk["ebs"]]
    return Machines(
        kind=str(template["instance_type"]),
        count=int(group.get("desired_capacity") or _count_wanted(plan, group)),
        disk_gb=sum(int(ebs.get("volume_size") or 0) for ebs in disks),
    )


def _count_wanted(plan: _Plan, group: dict[str, Any]) -> int:
    """Return how many machines were asked for, within the group's bounds.

    A new group's own number is not in the plan: it is known only after the apply.
    """
    asked = plan.variables.get("instances", _Variable()).value
    least, most = int(group.get("min_size") or 0), int(group.get("max_size") or 0)
    return max(least, min(most, int(asked) if str(asked).isdecimal() else 0))


def list_foreign(changes: Sequence[Change]) -> list[Change]:
    """Return the changes that do not belong to the machines of the slot whose plan this is."""
    return [change for change in changes if not change.address.startswith(_OF_THE_SLOT)]
