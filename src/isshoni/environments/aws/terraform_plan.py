"""Read a Terraform plan: which resources it would change."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from isshoni.environments.aws.errors import TerraformFault

_MARKS = {"create": "+", "delete": "-", "update": "~", "read": "?"}
_OF_THE_SLOT = "module.colour."


@dataclass(frozen=True)
class Change:
    """One resource that a plan changes."""

    address: str
    actions: tuple[str, ...]

    def __str__(self) -> str:
        marks = "/".join(_MARKS.get(action, action) for action in self.actions)
        return f"{marks} {self.address}"


class _Detail(msgspec.Struct):
    actions: tuple[str, ...]


class _ResourceChange(msgspec.Struct):
    address: str
    change: _Detail


class _Plan(msgspec.Struct):
    resource_changes: list[_ResourceChange] = []


def read_changes(written: bytes) -> list[Change]:
    """Return the changes in the output of `terraform show -json`."""
    try:
        plan = msgspec.json.decode(written, type=_Plan)
    except msgspec.MsgspecError as fault:
        raise TerraformFault("show", f"its plan cannot be read: {fault}") from None
    changes = [Change(c.address, c.change.actions) for c in plan.resource_changes]
    return [c for c in changes if c.actions not in (("no-op",), ("read",))]


def list_foreign(changes: Sequence[Change]) -> list[Change]:
    """Return the changes that do not belong to the machines of the slot whose plan this is."""
    return [change for change in changes if not change.address.startswith(_OF_THE_SLOT)]
