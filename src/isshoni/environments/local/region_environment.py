"""One region of a local environment as an environment: what `up` does besides is here."""

from isshoni.environments.errors import ProgramNotReady
from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.environment import LocalEnvironment
from isshoni.environments.local.redis_server import find_redis_server
from isshoni.environments.local.region import Region
from isshoni.environments.local.region_block import list_running
from isshoni.environments.local.region_data import (
    describe_copy,
    keep_copy,
    read_stored_record,
    remove_copy,
)
from isshoni.environments.local.region_files import (
    find_last_promoted,
    find_origins,
    find_switch,
    place_region,
    read_switch,
    read_unfinished,
    share_credentials,
    write_switch,
)
from isshoni.environments.local.regions import LocalRegions, find_redis_address
from isshoni.environments.progress import ReportStep, ignore_step
from isshoni.environments.waiting import wait_until
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.failover.actions import Follow, WriteRecord
from isshoni.rollout.failover.conditions import is_superseded, may_follow
from isshoni.rollout.failover.model import RegionRecord, RegionSeen
from isshoni.rollout.model import Stable
from isshoni.rollout.plan import RolloutPlan

_OPEN_SECONDS = 15.0


async def _observe_serving(regions: LocalRegions, name: str) -> RegionSeen:
    """Return what the serving region reports; it may take its time on a busy machine."""
    seen = await regions.observe(name)

    async def is_read() -> bool:
        nonlocal seen
        seen = await regions.observe(name)
        return seen.redis_role == "master" and seen.record is not None

    await wait_until(is_read, _OPEN_SECONDS)
    return seen


def _is_newer(record: RegionRecord | None, leader: RegionSeen, *, led: bool) -> bool:
    """True if a stored record shows that a leader may lack what was written with it."""
    if led or record is None or leader.record is None:
        return not is_superseded(record, leader.record, leader.name)
    return record.term > leader.record.term


def _describe_newer(region: Region, record: RegionRecord | None, leader: RegionSeen) -> str:
    name, directory = region.name, region.redis_directory
    mine, its = record or RegionRecord(0, ""), leader.record or RegionRecord(0, "")
    return (
        f"the data of {name} is of term {mine.term} (writer: {mine.writer or 'none'}), and "
        f"{leader.name}, which would replace it, has term {its.term}: {name} may have writes that "
        f"{leader.name} lacks. Nothing was changed. If {leader.name} is the one that must serve, "
        f"move {directory} away, then start {name} again"
    )


class RegionEnvironment(LocalEnvironment):
    """A region. It starts as the one that serves, or as the standby of the one that does."""

    def __init__(
        self,
        whole: LocalConfig,
        plan: RolloutPlan,
        name: str,
        progress: ReportStep = ignore_step,
    ) -> None:
        share_credentials(whole)
        self._whole, self._plan = whole, plan
        config = place_region(whole, name)
        others = tuple(url for other, url in find_origins(whole).items() if other != name)
        self._its = Region(name, config.state_dir, others)
        self._other = next(
            Region(each, place_region(whole, each).state_dir, ())
            for each in whole.regions
            if each != name
        )
        super().__init__(config, progress, self._its)

    async def up(self, stable: Stable) -> None:
        """Start or repair the region; the first one that is started serves. Idempotent."""
        unfinished = read_unfinished(self._whole)
        if unfinished is None:
            await self._choose_role()
        elif (unfinished.source, unfinished.mode) == (self._its.name, "emergency"):
            raise EnvironmentFault(
                f"failover {unfinished.id} to {unfinished.target} is not over: finish it with "
                f"`isshoni failover`, then start {self._its.name} as its standby"
            )
        await super().up(stable)
        if self._its.read_leader() is None:
            await self._write_first_record()
        elif read_switch(self._whole) is None:  # it was lost; the other one serves, as was seen
            write_switch(self._whole, self._other.name)

    @property
    def is_stopped_standby(self) -> bool:
        """True if nothing of it runs, and the other region serves."""
        return self.is_standby and not list_running(self.files)

    @property
    def is_standby(self) -> bool:
        """True if new users are sent to the other region."""
        return read_switch(self._whole) not in (None, self._its.name)

    async def _choose_role(self) -> None:
        """Make its Redis follow the region that serves, if that is another."""
        active, is_running = self._find_serving(), bool(list_running(self.files))
        if active is None or active == self._its.name:
            self._refuse_lost_data()
            if not is_running:
                self._its.write_leader(None)
            return
        if is_running and self._its.read_leader() is not None:
            return
        regions = LocalRegions(self._whole, self._plan, self._progress)
        try:
            if is_running:  # it was lost, came back, and believes that it serves
                await self._follow(regions, active)
                return
            seen = await _observe_serving(regions, active)
            if seen.redis_role != "master" or seen.record is None:
                raise EnvironmentFault(
                    f"{active} serves, and {self._its.name} would be its standby; but {active} "
                    f"does not answer ({seen.fault or 'its Redis is not a primary'}): start it "
                    f"first (`isshoni up --region {active}`)"
                )
            await self._compare_data(seen)
            self._its.write_leader(find_redis_address(regions.parts[active]))
        finally:
            await regions.aclose()
        self._progress(f"{self._its.name} starts as the standby of {active}")

    async def _compare_data(self, leader: RegionSeen) -> None:
        """Compare the data of a stopped Redis with the leader that is about to replace it.

        If it led, a copy is kept. Raises `EnvironmentFault` if its record is newer.
        """
        its, led = self._its, self._its.read_leader() is None
        if not its.has_data:
            return
        kept = keep_copy(its.redis_directory)
        try:
            record = await read_stored_record(find_redis_server(self.config), kept)
        except EnvironmentFault as fault:
            if led:
                self._progress(f"{describe_copy(its.name, kept)}, but it cannot be read: {fault}")
            else:
                remove_copy(kept)  # it is damaged, and had only what it was sent
            return
        is_newer = _is_newer(record, leader, led=led)
        if is_newer or not led:
            remove_copy(kept)
        if is_newer:
            raise EnvironmentFault(_describe_newer(its, record, leader))
        if led:
            self._progress(describe_copy(its.name, kept))

    def _find_serving(self) -> str | None:
        """Return the region that serves, by what is stored; None: no other one does.

        Raises `EnvironmentFault` if that is not known.
        """
        its, other = self._its, self._other
        stored = read_switch(self._whole) or find_last_promoted(self._whole)
        if stored is not None:
            return stored
        leads = {each.name: each.has_role and each.read_leader() is None for each in (its, other)}
        if leads[other.name] and its.has_role and leads[its.name] and other.has_data:
            raise EnvironmentFault(
                f"both regions led once, and {find_switch(self._whole)} is gone: write "
                f'{{"region": "NAME"}} into it, with the region that serves'
            )
        if leads[other.name] and other.has_data:
            return other.name
        return None

    def _refuse_lost_data(self) -> None:
        """Raise `EnvironmentFault` if it would lead without the data that the other one has."""
        its, other = self._its, self._other
        if not its.has_data and other.has_data:
            raise EnvironmentFault(
                f"the data of {its.name} is gone, and {other.name} has a copy, which would be "
                f"replaced by nothing: let {other.name} serve (`isshoni failover --to "
                f"{other.name} --emergency`), then start {its.name} as its standby"
            )

    async def _follow(self, regions: LocalRegions, active: str) -> None:
        """Make a running Redis a replica, if its record is older than the serving region's."""
        mine = await regions.observe(self._its.name)
        its = await _observe_serving(regions, active)
        if not may_follow(mine, its):
            raise EnvironmentFault(
                f"{active} serves by the last failover, but its record is not newer than that of "
                f"{self._its.name}: see `isshoni status`, and stop the one that must not serve"
            )
        self._progress(f"{self._its.name} becomes the standby of {active}")
        await regions.perform(Follow(self._its.name, active, keeps_copy=True))

    async def _write_first_record(self) -> None:
        """Store in Redis that this region writes, unless a record is there."""
        regions = LocalRegions(self._whole, self._plan)
        name, fault = self._its.name, None

        async def is_recorded() -> bool:
            nonlocal fault
            seen = await regions.observe(name)
            fault = seen.fault
            if seen.answers and seen.record is None:
                await regions.perform(WriteRecord(name, RegionRecord(1, name)))
            return seen.answers and seen.record is not None

        try:
            if not await wait_until(is_recorded, _OPEN_SECONDS):
                log = self.files.log_path("blue")
                why = "no process confirms that it writes"
                raise ProgramNotReady(name, f"{why} ({fault})" if fault else why, str(log))
        finally:
            await regions.aclose()
        self._its.write_leader(None)  # again: there is data now, without which it must not start
        if read_switch(self._whole) is None:
            write_switch(self._whole, name)
