"""A plan as Terraform tells it in JSON."""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Resource:
    """One resource as it will be; what is only known after the apply is `unknown`."""

    address: str
    values: dict[str, Any]
    unknown: dict[str, Any]
    actions: tuple[str, ...]

    def has(self, attribute: str) -> bool:
        """Say whether an attribute will have a value that is not empty."""
        return bool(self.values.get(attribute)) or bool(self.unknown.get(attribute))


class Plan:
    """What will be, and how it is written."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def copy(self) -> "Plan":
        """Give a copy to plant a mistake in."""
        return Plan(copy.deepcopy(self.document))

    @property
    def resources(self) -> list[Resource]:
        """Every resource that will exist; data sources are none."""
        return [
            Resource(
                change["address"],
                change["change"]["after"],
                change["change"].get("after_unknown") or {},
                tuple(change["change"]["actions"]),
            )
            for change in self.document["resource_changes"]
            if change["mode"] == "managed" and change["change"]["after"] is not None
        ]

    def of_type(self, *types: str) -> list[Resource]:
        """Give the resources of some types."""
        return [r for r in self.resources if _type_of(r.address) in types]

    def get(self, end: str) -> Resource:
        """Give the only resource whose address ends so."""
        found = [r for r in self.resources if r.address.endswith(end)]
        assert len(found) == 1, f"{end}: {[r.address for r in found]}"
        return found[0]

    def remove(self, end: str) -> None:
        """Forget the only resource whose address ends so."""
        address = self.get(end).address
        changes = self.document["resource_changes"]
        self.document["resource_changes"] = [c for c in changes if c["address"] != address]

    @property
    def changed(self) -> list[Resource]:
        """What the apply would change."""
        return [r for r in self.resources if r.actions not in (("no-op",), ("read",))]

    def written(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Give name and expressions of every resource of a type, as its module writes it."""
        yield from _written(self.document["configuration"]["root_module"], kind)

    def calls(self, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield name and expressions of every call of a module, however deep."""
        pending = [self.document["configuration"]["root_module"]]
        while pending:
            for called, call in pending.pop().get("module_calls", {}).items():
                if called == name:
                    yield called, call["expressions"]
                pending.append(call["module"])


def _written(module: dict[str, Any], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for resource in module.get("resources", []):
        if resource["type"] == kind and resource["mode"] == "managed":
            yield resource["name"], resource["expressions"]
    for call in module.get("module_calls", {}).values():
        yield from _written(call["module"], kind)


def references(expressions: dict[str, Any], attribute: str) -> list[str]:
    """List what an attribute's expression refers to."""
    found: list[str] = expressions.get(attribute, {}).get("references", [])
    return found


def statements(policy: str) -> list[dict[str, Any]]:
    """List the statements of an IAM policy."""
    found = json.loads(policy)["Statement"]
    return found if isinstance(found, list) else [found]


def _type_of(address: str) -> str:
    """Return the type of a resource; "" if it is none of AWS."""
    return next((p for p in address.split(".") if p.startswith("aws_")), "").split("[")[0]
