"""Preview the start of a version on a slot: Terraform's plan, and its cost."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from isshoni.environments.aws.errors import TerraformFault
from isshoni.environments.aws.prices import Prices, read_prices
from isshoni.environments.aws.terraform import Terraform
from isshoni.environments.aws.terraform_plan import Machines, Planned, list_foreign
from isshoni.environments.place import Preview


async def preview_slot(terraform: Terraform, variables: Mapping[str, str]) -> Preview:
    """Plan a slot with these variables, without the state's lock; change nothing.

    A plan that Terraform refuses, or that would be refused, is a `Preview` with a fault.
    """
    with tempfile.TemporaryDirectory(prefix="isshoni-plan-") as folder:
        try:
            await terraform.init()
            planned = await terraform.preview(variables, Path(folder) / "plan")
        except TerraformFault as fault:
            return Preview(changes=(), fault=str(fault))
    return _describe(planned, read_prices())


def _describe(planned: Planned, prices: Prices) -> Preview:
    foreign = list_foreign(planned.changes)
    outside = ", ".join(str(change) for change in foreign)
    return Preview(
        changes=tuple(change.in_words for change in planned.changes),
        cost=_describe_cost(planned.machines, prices) if planned.machines else None,
        fault=f"a deploy would be refused: not of this slot: {outside}" if foreign else None,
    )


def _describe_cost(machines: Machines, prices: Prices) -> str:
    what = f"{machines.count} × {machines.kind} with {machines.disk_gb} GB"
    cost = prices.estimate_hour(machines.kind, machines.count, machines.disk_gb)
    if cost is None:
        return f"{what}: no price of {machines.kind} is known here, look it up"
    return (
        f"{what}: about {cost:.2f} US dollars an hour more while both slots run (list prices of "
        f"{prices.region}, {prices.as_of}, without traffic; look them up)"
    )
