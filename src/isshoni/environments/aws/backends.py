"""The port `Backends` on AWS: asks every instance of a slot, and joins the answers."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from isshoni.environments.aws.groups import Groups, Instance
from isshoni.environments.aws.remembered import Remembered, changing
from isshoni.environments.backend_api import (
    ONE_OF_SEVERAL_SECONDS,
    STATUS_TIMEOUT_SECONDS,
    HttpBackends,
)
from isshoni.environments.counters import GrowingCounters
from isshoni.environments.joined_backends import ask_all, cancel_all, migrate_all, prove_all
from isshoni.environments.joined_status import join_statuses
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import COLOURS, BackendStatus, Colour, Proof

_ONE_LOOK_SECONDS = 0.2
"""Observations within this time share one answer: traffic is read from it too."""


class InstanceBackends:
    """Asks the private admin ports of the instances in each slot's group."""

    def __init__(self, groups: Groups, admin_port: int, read_token: Callable[[], str]) -> None:
        self._groups = groups
        self._admin_port = admin_port
        self._read_token = read_token
        self._counters = {colour: GrowingCounters() for colour in COLOURS}
        self._connections: dict[str, int] = {}
        """How many connections each instance had when it answered last."""
        self._seen = {
            colour: Remembered(partial(self._look, colour), _ONE_LOOK_SECONDS) for colour in COLOURS
        }

    async def status(self, colour: Colour) -> BackendStatus | None:
        """Return the joined status of the instances that answer; None if none of them does.

        One that hangs is named, makes the whole not ready, and counts with the connections that
        it had last.
        """
        return await self._seen[colour].get()

    async def _look(self, colour: Colour) -> BackendStatus | None:
        try:
            backends = await self._find(colour)
        except EnvironmentFault:
            return None
        ending = (await self._groups.observe())[colour].leaving
        # The verdict needs none of their answers, and must not wait for an instance that is dying.
        leaving = self._connect_all(colour, ending, ONE_OF_SEVERAL_SECONDS)
        found, left = await asyncio.gather(ask_all(backends, colour), ask_all(leaving, colour))
        joined = join_statuses(found, self._counters[colour])
        if joined is None:
            return None
        joined = replace(joined, connections=joined.connections + self._count_on_silent(found))
        return add_leaving(joined, [status for status in left.values() if status])

    def _count_on_silent(self, found: Mapping[str, BackendStatus | None]) -> int:
        """Return the connections that instances without an answer may have: never 0."""
        self._connections |= {name: s.connections for name, s in found.items() if s}
        silent = [name for name, status in found.items() if status is None]
        return sum(max(1, self._connections.get(name, 0)) for name in silent)

    def forget(self) -> None:
        """Discard the remembered answers: the next observation asks again."""
        for seen in self._seen.values():
            seen.forget()

    async def prove(self, colour: Colour, session_ids: Sequence[str] = ()) -> Proof:
        """Ask every instance for its proof; return the first that fails, if any."""
        try:
            backends = await self._find(colour)
        except EnvironmentFault as fault:
            return Proof(redis=False, sampled=0, readable=0, fault=str(fault))
        return await prove_all(backends, colour, session_ids)

    async def migrate(
        self,
        colour: Colour,
        to: Colour,
        *,
        rate_per_second: float,
        within_seconds: float,
        share_pct: float = 100.0,
        close_over_seconds: float = 0.0,
    ) -> None:
        """Request every instance to move a share of its sessions."""
        backends = await self._find(colour)
        with changing(self):
            await migrate_all(
                backends,
                colour,
                to,
                rate_per_second=rate_per_second,
                within_seconds=within_seconds,
                share_pct=share_pct,
            )

    async def cancel_migration(self, colour: Colour) -> None:
        """Request every instance to stop moving sessions."""
        backends = await self._find(colour)
        with changing(self):
            await cancel_all(backends, colour)

    async def _find(self, colour: Colour) -> dict[str, HttpBackends]:
        group = (await self._groups.observe())[colour]
        if not group.serving:
            raise EnvironmentFault(f"{colour} cannot be asked: it has no instance in service")
        several = len(group.serving) > 1
        seconds = ONE_OF_SEVERAL_SECONDS if several else STATUS_TIMEOUT_SECONDS
        return self._connect_all(colour, group.serving, seconds)

    def _connect_all(
        self, colour: Colour, instances: Sequence[Instance], seconds: float
    ) -> dict[str, HttpBackends]:
        return {instance.id: self.connect(colour, instance, seconds) for instance in instances}

    def connect(
        self, colour: Colour, instance: Instance, status_seconds: float = STATUS_TIMEOUT_SECONDS
    ) -> HttpBackends:
        """Return the admin port of one instance."""
        url = f"http://{instance.address}:{self._admin_port}"
        return HttpBackends({colour: url}, self._read_token(), lambda _: True, status_seconds)


def add_leaving(joined: BackendStatus, left: Sequence[BackendStatus]) -> BackendStatus:
    """Add the connections and sessions that are still on instances which are about to end.

    Nothing else of them counts: they get no orders of a rollout, and need not answer.
    """
    return replace(
        joined,
        connections=joined.connections + sum(status.connections for status in left),
        sessions=joined.sessions + sum(status.sessions for status in left),
    )
