"""What the instances of a region report: which region writes, and if they are ready to stand by.

The load balancer does not know: /readyz is 503 on a standby.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from isshoni.environments.aws.groups import Group, Instance
from isshoni.environments.region_api import ask_region
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.failover.model import ProcessSeen, RegionRecord


async def find_standby_trouble(group: Group, admin_port: int, token: str) -> str | None:
    """Return why a slot is not ready as a standby; None if each of its instances is."""
    if len(group.serving) < max(1, group.wanted):
        return f"{len(group.serving)} of {max(1, group.wanted)} instances are in service"
    asked = (_find_trouble(instance, admin_port, token) for instance in group.serving)
    return "; ".join(filter(None, await asyncio.gather(*asked))) or None


async def _find_trouble(instance: Instance, admin_port: int, token: str) -> str | None:
    try:
        seen = await ask_region(_find_url(instance, admin_port), token, instance.id)
    except EnvironmentFault as fault:
        return f"{instance.id}: {fault}"
    if seen.standby_ready:
        return None
    return f"{instance.id}: {seen.reason or 'it does not stand by'}"


@dataclass(frozen=True)
class RegionRole:
    """Whether a region serves or stands by, as its instances report."""

    record: RegionRecord | None = None
    """Which region writes; None: not reported. Before the first failover its term is 0."""
    is_standby: bool = False


async def read_role(
    region: str, groups: Iterable[Group], admin_port: int, token: str
) -> RegionRole:
    """Return the role that the newest record of the instances in service gives this region."""
    instances = [instance for group in groups for instance in group.serving]
    asked = await asyncio.gather(*(_ask(each, admin_port, token) for each in instances))
    seen = [each for each in asked if each is not None]
    records = [each.record for each in seen if each.record is not None]
    newest = max(records, key=lambda record: record.term, default=None)
    if newest is not None:
        return RegionRole(newest, newest.writer not in ("", region))
    # The record is written by the first failover; until then the region with the primary writes.
    roles = {each.redis_role for each in seen}
    if "master" in roles:
        return RegionRole(RegionRecord(0, region))
    return RegionRole(is_standby="slave" in roles)


async def _ask(instance: Instance, admin_port: int, token: str) -> ProcessSeen | None:
    try:
        return await ask_region(_find_url(instance, admin_port), token, instance.id)
    except EnvironmentFault:
        return None


def _find_url(instance: Instance, admin_port: int) -> str:
    return f"http://{instance.address}:{admin_port}"
