"""The machines of a region's live slot, and what their processes report."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from isshoni.engine.errors import JournalFault
from isshoni.engine.journal import Stables
from isshoni.environments.aws.groups import Group, Groups, Instance
from isshoni.environments.region_api import ask_region
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.failover.model import ProcessSeen
from isshoni.rollout.model import COLOURS, Colour

_LOOK_SECONDS = 1.5
"""How long one observation waits for AWS; then it uses the machines that were read last."""
_AGAIN_SECONDS = 5.0


@dataclass(frozen=True)
class Answers:
    """What the processes of a region answered."""

    release: str | None
    seen: tuple[ProcessSeen, ...]
    silent: tuple[str, ...]
    faults: tuple[str, ...]


class RegionMachines:
    """Finds the machines by the region's own API, and asks their admin ports."""

    def __init__(
        self, groups: Groups, journal: Stables, admin_port: int, read_token: Callable[[], str]
    ) -> None:
        self._groups = groups
        self._journal = journal
        self._admin_port = admin_port
        self._read_token = read_token
        self._group: Group | None = None
        self._fault = ""
        self._read_again_at = float("-inf")

    async def ask_all(self) -> Answers:
        """Return what each process reports; one that does not answer is a value."""
        group = await self._find_group()
        token = await self._find_token()
        machines = group.serving + group.leaving
        asked = await asyncio.gather(*(self._ask(each, token) for each in machines))
        named = list(zip(machines, asked, strict=True))
        missing = max(0, group.wanted - len(group.serving))
        silent = [
            machine.id
            for machine, answer in named
            # One that is about to end may have ended: its group says so a moment later.
            if not isinstance(answer, ProcessSeen) and not machine.leaving
        ] + [f"machine {number} that is not in service" for number in range(1, missing + 1)]
        faults = [self._fault] if self._fault else []
        faults += [f"{m.id}: {its}" for m, its in named if m.id in silent]
        return Answers(
            group.version,
            tuple(each for each in asked if isinstance(each, ProcessSeen)),
            tuple(silent),
            tuple(faults),
        )

    async def _ask(self, machine: Instance, token: str) -> ProcessSeen | EnvironmentFault:
        try:
            return await ask_region(self._find_url(machine), token, machine.id)
        except EnvironmentFault as fault:
            return fault

    async def for_each(self, send: Callable[[str, str], Awaitable[None]]) -> None:
        """Send a request to every process, by its URL and the token.

        Raises `EnvironmentFault` if one did not confirm it, after all were asked.
        """
        group = await self._find_group()
        if not group.serving:
            raise EnvironmentFault("it has no machine in service")
        token = await self._find_token()
        machines = group.serving + group.leaving
        results = await asyncio.gather(
            *(send(self._find_url(each), token) for each in machines), return_exceptions=True
        )
        for machine, result in zip(machines, results, strict=True):
            if isinstance(result, BaseException) and not machine.leaving:
                raise result

    def _find_url(self, machine: Instance) -> str:
        return f"http://{machine.address}:{self._admin_port}"

    async def _find_token(self) -> str:
        return await asyncio.to_thread(self._read_token)

    async def _find_group(self) -> Group:
        """Return the live slot's group, as it was read last if AWS does not answer in time."""
        if self._group is not None and time.monotonic() < self._read_again_at:
            return self._group
        try:
            async with asyncio.timeout(_LOOK_SECONDS if self._group else None):
                self._group, self._fault = await self._read_group(), ""
        except (TimeoutError, EnvironmentFault) as fault:
            if self._group is None:
                raise
            self._fault = str(fault) or "AWS does not answer in this region"
            self._read_again_at = time.monotonic() + _AGAIN_SECONDS
        return self._group

    async def _read_group(self) -> Group:
        groups = await self._groups.observe()
        running = [colour for colour in COLOURS if groups[colour].version is not None]
        if len(running) < 2:
            return groups[running[0] if running else COLOURS[0]]
        return groups[await asyncio.to_thread(self._find_colour)]

    def _find_colour(self) -> Colour:
        try:
            stable = self._journal.read_stable()
        except JournalFault as fault:
            raise EnvironmentFault(str(fault)) from None
        return stable.colour if stable else COLOURS[0]
