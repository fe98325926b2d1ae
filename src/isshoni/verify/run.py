"""One run of `isshoni verify`, from the first connection to the verdict."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import msgspec

from isshoni.errors import IsshoniError
from isshoni.verify.assemble import DeployRecord, assemble
from isshoni.verify.clock import RunClock
from isshoni.verify.load import Load, LocalLoad
from isshoni.verify.machine import check_limits, describe_share
from isshoni.verify.ports import DeployReport, DeployRunner
from isshoni.verify.reach import check_reachable
from isshoni.verify.result import Result
from isshoni.verify.settings import InvalidRun, PlannedDeploy, RunSettings
from isshoni.verify.worker_load import WorkerLoad

PROGRESS_SECONDS = 0.25
MakeLoad = Callable[[RunSettings, RunClock], Load]
"""Makes the clients of a run."""


class Progress(msgspec.Struct, frozen=True):
    """The progress of a run, in numbers."""

    stage: str
    """`connect`, `warm up`, `talk`, `deploy VERSION`, ``run `COMMAND` ``, `settle` or `read`."""
    seconds: float
    clients: int
    connected: int
    messages: int
    acked: int
    deliveries: int


async def verify(
    url: str,
    settings: RunSettings,
    *,
    deploys: Sequence[PlannedDeploy] = (),
    runner: DeployRunner | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    make_load: MakeLoad | None = None,
) -> Result:
    """Run sessions on `url` (`ws://HOST:PORT`) through `deploys`, and judge the run.

    The clients are Isshoni's own, unless `make_load` makes others. Raises `InvalidRun` if it
    cannot be made, `CannotConnect` if no client can connect to `url`, and `WorkerDied` if a process
    of it ended early.
    """
    if deploys and runner is None:
        raise InvalidRun("deploys were asked for, but no runner to make them")
    check_limits(settings)
    clock = RunClock()
    if make_load is not None:
        load = make_load(settings, clock)
    else:
        await check_reachable(url, settings.token)
        load = (WorkerLoad if settings.workers > 1 else LocalLoad)(url, settings, clock)
    return await _Run(url, settings, on_progress, clock, load).run(deploys, runner)


class _Run:
    def __init__(
        self,
        url: str,
        settings: RunSettings,
        on_progress: Callable[[Progress], None],
        clock: RunClock,
        load: Load,
    ) -> None:
        self._url = url
        self._settings = settings
        self._on_progress = on_progress
        self._clock = clock
        self._load = load
        self._deploys: list[DeployRecord] = []
        self._talked_from = self._quiet_from = self._talked_until = 0.0
        self._stage = "connect"

    async def run(self, deploys: Sequence[PlannedDeploy], runner: DeployRunner | None) -> Result:
        """Do the whole run, step by step, and return its result."""
        try:
            async with self._reporting_progress():
                await self._load.connect()
                await self._warm_up()
                await self._talk_in_quiet()
                for planned in deploys:
                    assert runner is not None
                    await self._deploy(planned, runner)
                    await self._talk_in_quiet()
                await self._talk_to_the_end()
                await self._settle()
                ended_at = self._clock.now()
                await self._read_final_state()
            return await self._assemble(ended_at)
        finally:
            await self._load.leave()

    async def _warm_up(self) -> None:
        """Let all users talk until the effects of their arrival are over."""
        self._stage = "warm up"
        await self._load.start_talking()
        self._talked_from = self._clock.now()
        await asyncio.sleep(self._settings.warm_up)
        self._quiet_from = self._clock.now()

    async def _talk_in_quiet(self) -> None:
        self._stage = "talk"
        await asyncio.sleep(self._settings.quiet_seconds)

    async def _talk_to_the_end(self) -> None:
        end = self._talked_from + self._settings.talk_seconds
        await asyncio.sleep(max(0.0, end - self._clock.now()))
        await self._load.stop_talking()
        self._talked_until = self._clock.now()

    async def _deploy(self, planned: PlannedDeploy, runner: DeployRunner) -> None:
        self._stage = planned.stage
        began_at = self._clock.now()
        try:
            report = await runner.deploy(planned.version)
        except IsshoniError as fault:
            report = DeployReport(outcome="failed", reason=str(fault))
        self._deploys.append(DeployRecord(planned, report, began_at, self._clock.now()))

    async def _settle(self) -> None:
        self._stage = "settle"
        await self._load.settle()

    async def _read_final_state(self) -> None:
        self._stage = "read"
        await self._load.read_final_state()

    async def _assemble(self, ended_at: float) -> Result:
        began_at = [deploy.began_at for deploy in self._deploys]
        collected = await self._load.collect(began_at, ended_at)
        seconds = self._talked_until - self._talked_from
        return assemble(
            url=self._url,
            settings=self._settings,
            clock=self._clock,
            collected=collected,
            deploys=self._deploys,
            ended_at=ended_at,
            quiet_from=self._quiet_from,
            load=describe_share(self._settings, collected.cpu_seconds, seconds),
        )

    @asynccontextmanager
    async def _reporting_progress(self) -> AsyncIterator[None]:
        reporting = asyncio.create_task(self._report_progress())
        try:
            yield
        finally:
            reporting.cancel()
            with suppress(asyncio.CancelledError):
                await reporting

    async def _report_progress(self) -> None:
        while True:
            counts = self._load.count()
            self._on_progress(
                Progress(
                    stage=self._stage,
                    seconds=self._clock.now(),
                    clients=self._settings.clients,
                    connected=counts.connected,
                    messages=counts.messages,
                    acked=counts.acked,
                    deliveries=counts.deliveries,
                )
            )
            await asyncio.sleep(PROGRESS_SECONDS)
