"""Why the instances of a slot are not ready as a standby: /readyz is 503 on a standby."""

import asyncio

from isshoni.environments.aws.groups import Group, Instance
from isshoni.environments.region_api import ask_region
from isshoni.rollout.errors import EnvironmentFault


async def find_standby_trouble(group: Group, admin_port: int, token: str) -> str | None:
    """Return why a slot is not ready as a standby; None if each of its instances is."""
    if len(group.serving) < max(1, group.wanted):
        return f"{len(group.serving)} of {max(1, group.wanted)} instances are in service"
    asked = (_find_trouble(instance, admin_port, token) for instance in group.serving)
    return "; ".join(filter(None, await asyncio.gather(*asked))) or None


async def _find_trouble(instance: Instance, admin_port: int, token: str) -> str | None:
    url = f"http://{instance.address}:{admin_port}"
    try:
        seen = await ask_region(url, token, instance.id)
    except EnvironmentFault as fault:
        return f"{instance.id}: {fault}"
    if seen.standby_ready:
        return None
    return f"{instance.id}: {seen.reason or 'it does not stand by'}"
