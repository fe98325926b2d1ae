"""The two regions of a local environment: the port `Regions` over two whole platforms."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from isshoni.engine.errors import JournalFault
from isshoni.engine.sqlite_journal import SqliteJournal
from isshoni.environments.http import NoAnswer, ask
from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.environment import LocalEnvironment
from isshoni.environments.local.process_names import SlotProcess
from isshoni.environments.local.region import Region
from isshoni.environments.local.region_block import block, list_running
from isshoni.environments.local.region_data import describe_copy, keep_copy, remove_copy
from isshoni.environments.local.region_files import (
    find_origins,
    place_region,
    read_switch,
    share_credentials,
    write_switch,
)
from isshoni.environments.progress import ReportStep, ignore_step
from isshoni.environments.region_api import ask_region, cancel_move, send_move, send_record
from isshoni.environments.region_redis import RedisSeen, RegionRedis
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.failover.actions import (
    Action,
    Block,
    Follow,
    Move,
    Promote,
    Switch,
    WriteRecord,
)
from isshoni.rollout.failover.model import ProcessSeen, RegionRecord, RegionSeen
from isshoni.rollout.model import COLOURS, Colour
from isshoni.rollout.plan import RolloutPlan

_PUBLIC_SECONDS = 1.0


@dataclass(frozen=True)
class RegionParts:
    """One region, opened."""

    region: Region
    environment: LocalEnvironment
    journal: SqliteJournal
    redis: RegionRedis

    @property
    def name(self) -> str:
        """Return the region's name."""
        return self.region.name

    def list_processes(self) -> Sequence[SlotProcess]:
        """Return the processes of its live slot; none if nothing should run."""
        return self.environment.compute.list_processes(self.find_colour())

    def find_colour(self) -> Colour:
        """Return its live slot; the slot that runs if the journal has none, or is damaged."""
        stable = None
        with suppress(JournalFault):  # of a lost region: an emergency goes on without its files
            stable = self.journal.read_stable()
        if stable is not None:
            return stable.colour
        compute = self.environment.compute
        return next((each for each in COLOURS if compute.list_processes(each)), COLOURS[0])

    def find_url(self, process: SlotProcess) -> str:
        """Return the URL of a process's admin port."""
        return f"http://127.0.0.1:{self.environment.port_book.of(process).admin}"


class LocalRegions:
    """Observes and changes two regions of this machine."""

    def __init__(
        self, config: LocalConfig, plan: RolloutPlan, progress: ReportStep = ignore_step
    ) -> None:
        self._config = config
        self._plan = plan
        self._progress = progress
        share_credentials(config)
        urls = find_origins(config)
        self.urls: Mapping[str, str] = urls
        self.parts = {name: self._open(name, urls, progress) for name in config.regions}

    def _open(self, name: str, urls: Mapping[str, str], progress: ReportStep) -> RegionParts:
        config = place_region(self._config, name)
        others = tuple(url for other, url in urls.items() if other != name)
        region = Region(name, config.state_dir, others)
        environment = LocalEnvironment(config, progress, region)
        try:
            journal = environment.open_journal()
        except JournalFault as fault:
            raise JournalFault(
                f"{fault}. If it cannot be repaired, move the file away and try again: only the "
                f"history of deploys in {name} is lost with it"
            ) from fault
        return RegionParts(region, environment, journal, RegionRedis(environment.redis_url))

    async def aclose(self) -> None:
        """Close journals and connections."""
        for parts in self.parts.values():
            parts.journal.close()
            await parts.redis.aclose()

    async def observe(self, region: str) -> RegionSeen:
        """Return what a region reports now; one that does not answer is a value."""
        parts = self.parts[region]
        processes = parts.list_processes()
        answers, redis, public = await asyncio.gather(
            asyncio.gather(*(self._ask(parts, process) for process in processes)),
            self._read_redis(parts),
            self._is_public(parts),
        )
        release = parts.environment.compute.release_on(parts.find_colour())
        faults = [str(answer) for answer in answers if isinstance(answer, EnvironmentFault)]
        named = zip(processes, answers, strict=True)
        return RegionSeen(
            region,
            tuple(answer for answer in answers if isinstance(answer, ProcessSeen)),
            tuple(each.name for each, answer in named if not isinstance(answer, ProcessSeen)),
            release.name if release else None,
            redis.role if redis else None,
            redis.link if redis else "",
            public,
            is_blocked=redis is None and not list_running(parts.environment.files),
            fault="; ".join(faults) or None,
        )

    async def _ask(
        self, parts: RegionParts, process: SlotProcess
    ) -> ProcessSeen | EnvironmentFault:
        url, token = parts.find_url(process), parts.environment.admin_token
        try:
            return await ask_region(url, token, process.name)
        except EnvironmentFault as fault:
            return fault

    async def _read_redis(self, parts: RegionParts) -> RedisSeen | None:
        try:
            return await parts.redis.read()
        except EnvironmentFault:
            return None

    async def _is_public(self, parts: RegionParts) -> bool:
        url = f"{parts.environment.public_url}/readyz"
        try:
            return (await ask(url, timeout_seconds=_PUBLIC_SECONDS)).is_success
        except NoAnswer:
            return False

    async def find_switched(self) -> str | None:
        """Return the region that new users are sent to; None if that was never set."""
        return read_switch(self._config)

    async def perform(self, action: Action) -> None:
        """Do an action, with a timeout. Idempotent; raises `EnvironmentFault` if it failed."""
        match action:
            case WriteRecord(region, record):
                await self._write_record(self.parts[region], record)
            case Block(region):
                await block(region, self.parts[region].environment.files)
            case Promote(region):
                parts = self.parts[region]
                parts.region.write_leader(None)  # first: a restart must not make it a replica
                await parts.redis.promote()
            case Follow(region, leader, keeps_copy):
                leading = find_redis_address(self.parts[leader])
                await self._follow(self.parts[region], leading, keeps_copy=keeps_copy)
            case Switch(to):
                write_switch(self._config, to)
            case Move(region, to):
                await self._move(self.parts[region], to)

    async def _write_record(self, parts: RegionParts, record: RegionRecord) -> None:
        token = parts.environment.admin_token
        urls = [parts.find_url(each) for each in parts.list_processes()]
        if record.writer == parts.name:
            # A move away from here, of an earlier failover, would send new clients away again.
            await asyncio.gather(*(cancel_move(url, token) for url in urls))
        await asyncio.gather(*(send_record(url, token, record) for url in urls))

    async def _follow(
        self, parts: RegionParts, address: tuple[str, int], *, keeps_copy: bool
    ) -> None:
        if keeps_copy and (await parts.redis.read()).role == "master":
            await self._keep_and_follow(parts, address)
            return
        parts.region.write_leader(address)
        seen = await parts.redis.read()
        if seen.role == "master" or seen.link == "down":
            await parts.redis.follow(*address)

    async def _keep_and_follow(self, parts: RegionParts, address: tuple[str, int]) -> None:
        kept = await asyncio.to_thread(keep_copy, parts.region.redis_directory)
        try:
            await parts.redis.follow(*address)
        except EnvironmentFault:
            remove_copy(kept)  # each try keeps one
            raise
        # Only now: a restart before it must not make it a replica without a copy.
        parts.region.write_leader(address)
        self._progress(describe_copy(parts.name, kept))

    async def _move(self, parts: RegionParts, to: str) -> None:
        processes = parts.list_processes()
        rate = self._plan.migrate_rate_per_second / max(1, len(processes))
        send = partial(
            send_move,
            token=parts.environment.admin_token,
            to=to,
            address=self.urls[to],
            rate_per_second=rate,
            within_seconds=self._plan.migrate_within_seconds,
        )
        await asyncio.gather(*(send(parts.find_url(each)) for each in processes))


def find_redis_address(parts: RegionParts) -> tuple[str, int]:
    """Return the host and port of a region's Redis."""
    return "127.0.0.1", parts.environment.ports.redis
