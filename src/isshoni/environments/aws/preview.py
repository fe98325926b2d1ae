"""Preview the start of a version on a slot: Terraform's plan, and its cost."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from isshoni.environments.aws.errors import TerraformFault
from isshoni.environments.aws.prices import read_prices
from isshoni.environments.aws.terraform import Terraform
from isshoni.environments.aws.terraform_plan import Machines, Planned, list_foreign
from isshoni.environments.place import Preview


async def preview_slot(
    terraform: Terraform,
    variables: Mapping[str, str],
    own_prices: Mapping[str, float] | None = None,
) -> Preview:
    """Plan a slot with these variables, without the state's lock; change nothing.

    `own_prices` of machines, in US dollars an hour, go before the list prices. A plan that
    Terraform refuses, or that would be refused, is a `Preview` with a fault.
    """
    with tempfile.TemporaryDirectory(prefix="isshoni-plan-") as folder:
        try:
            await terraform.init()
            planned = await terraform.preview(variables, Path(folder) / "plan")
        except TerraformFault as fault:
            return Preview(changes=(), fault=str(fault))
    return _describe(planned, own_prices or {})


def _describe(planned: Planned, own: Mapping[str, float]) -> Preview:
    foreign = list_foreign(planned.changes)
    outside = ", ".join(str(change) for change in foreign)
    return Preview(
        changes=tuple(change.in_words for change in planned.changes),
        cost=_describe_cost(planned.machines, own) if planned.machines else None,
        fault=f"a deploy would be refused: not of this slot: {outside}" if foreign else None,
    )


def _describe_cost(machines: Machines, own: Mapping[str, float]) -> str:
    prices = read_prices()
    what = f"{machines.count} × {machines.kind} with {machines.disk_gb} GB"
    known = replace(prices, machine_hour={**prices.machine_hour, **own})
    cost = known.estimate_hour(machines.kind, machines.count, machines.disk_gb)
    override = f'"{machines.kind}" in `prices` of the environment in isshoni.toml sets it'
    if cost is None:
        return f"{what}: no price of {machines.kind} is known here; {override}"
    source = (
        "the price in isshoni.toml"
        if machines.kind in own
        else f"list prices of {prices.region}, written down in {prices.as_of}, which may be wrong; "
        f"{override}"
    )
    return (
        f"{what}: about {cost:.2f} US dollars an hour more while both slots run, without traffic "
        f"({source})"
    )
