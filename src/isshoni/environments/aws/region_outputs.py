"""What the global part of two regions publishes, with a copy in each of them."""

import asyncio

import msgspec

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.errors import NotThere, OutputsFault
from isshoni.environments.aws.outputs import Name
from isshoni.rollout.errors import EnvironmentFault

_FOLDER = "multi-region/global"
_ATTEMPTS, _TIMEOUT_SECONDS = 2, 2.0
"""A lost region does not answer, and the other one must not wait for long."""


class GlobalOutputs(msgspec.Struct, frozen=True):
    """What a failover needs besides the regions; unknown fields are ignored."""

    regions: tuple[Name, Name]
    """The first one is where users are sent while the switch is not inverted."""
    public_url: Name
    health_check_id: Name
    """The switch: a health check of Route 53 that measures nothing."""
    journal_table: Name
    failover_role_arn: str = ""
    """The role that fails over; empty: the caller's own credentials."""


def find_origin(public_url: str, region: str) -> str:
    """Return the origin that leads to one region, whichever serves."""
    scheme, _, domain = public_url.partition("://")
    return f"{scheme}://{region}.{domain}"


async def fetch_global_outputs(name: str, regions: tuple[str, ...]) -> GlobalOutputs:
    """Return what is published as `/NAME/regions`, from the first region that has it."""
    faults: list[EnvironmentFault] = []
    for region in regions:
        try:
            found = await _fetch(name, region)
        except EnvironmentFault as fault:
            faults.append(fault)
            continue
        if set(found.regions) != set(regions):
            raise EnvironmentFault(
                f"isshoni.toml has the regions {', '.join(regions)}, but /{name}/regions in "
                f"{region} is about {', '.join(found.regions)}: name the same two"
            )
        return found
    raise faults[0]


async def _fetch(name: str, region: str) -> GlobalOutputs:
    api = AwsApi(region, attempts=_ATTEMPTS, timeout_seconds=_TIMEOUT_SECONDS)
    parameter = f"/{name}/regions"
    await asyncio.to_thread(api.connect, "ssm")
    try:
        answer = await api.call("ssm", "get_parameter", Name=parameter)
        return msgspec.json.decode(answer["Parameter"]["Value"], type=GlobalOutputs)
    except NotThere:
        raise OutputsFault(parameter, region, _FOLDER, "it does not exist") from None
    except msgspec.MsgspecError as fault:
        raise OutputsFault(parameter, region, _FOLDER, str(fault)) from None
