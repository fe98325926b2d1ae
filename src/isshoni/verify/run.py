"""One run of `isshoni verify`, from the first connection to the verdict."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import msgspec

from isshoni.errors import IsshoniError
from isshoni.verify.assemble import DeployRecord, assemble_result
from isshoni.verify.attribution import Probe
from isshoni.verify.crowd import Crowd
from isshoni.verify.ports import DeployReport, DeployRunner
from isshoni.verify.prober import probe_while_cut
from isshoni.verify.readers import read_final_state
from isshoni.verify.result import Result
from isshoni.verify.settings import InvalidRun, PlannedDeploy, RunSettings
from isshoni.verify.users import Books

PROGRESS_SECONDS = 0.25


class Progress(msgspec.Struct, frozen=True):
    """The progress of a run, in numbers."""

    stage: str
    """`connect`, `talk`, `deploy VERSION`, `settle` or `read`."""
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
) -> Result:
    """Run sessions on `url` (`ws://HOST:PORT`) through `deploys`, and judge the run."""
    if deploys and runner is None:
        raise InvalidRun("deploys were asked for, but no runner to make them")
    return await _Run(url, settings, on_progress).run(deploys, runner)


class _Run:
    def __init__(
        self, url: str, settings: RunSettings, on_progress: Callable[[Progress], None]
    ) -> None:
        self._url = url
        self._settings = settings
        self._on_progress = on_progress
        self._books = Books()
        self._crowd = Crowd(url, settings, self._books)
        self._probes: list[Probe] = []
        self._deploys: list[DeployRecord] = []
        self._stage = "connect"

    async def run(self, deploys: Sequence[PlannedDeploy], runner: DeployRunner | None) -> Result:
        """Do the whole run, step by step, and return its result."""
        try:
            async with self._watching():
                await self._crowd.connect()
                self._crowd.start_talking()
                talked_from = self._books.clock.now()
                await self._talk_in_quiet()
                for planned in deploys:
                    assert runner is not None
                    await self._deploy(planned, runner)
                    await self._talk_in_quiet()
                await self._talk_until(talked_from + self._settings.talk_seconds)
                await self._crowd.stop_talking()
                await self._settle()
                ended_at = self._books.clock.now()
                await self._read_final_state()
            return self._assemble(ended_at)
        finally:
            await self._crowd.leave()

    async def _talk_in_quiet(self) -> None:
        self._stage = "talk"
        await asyncio.sleep(self._settings.quiet_seconds)

    async def _talk_until(self, end: float) -> None:
        await asyncio.sleep(max(0.0, end - self._books.clock.now()))

    async def _deploy(self, planned: PlannedDeploy, runner: DeployRunner) -> None:
        self._stage = f"deploy {planned.version}"
        began_at = self._books.clock.now()
        try:
            report = await runner.deploy(planned.version)
        except IsshoniError as fault:
            report = DeployReport(outcome="failed", reason=str(fault))
        self._deploys.append(DeployRecord(planned, report, began_at, self._books.clock.now()))

    async def _settle(self) -> None:
        self._stage = "settle"
        await self._crowd.settle()

    async def _read_final_state(self) -> None:
        self._stage = "read"
        await read_final_state(self._url, self._crowd, self._books, self._settings.token)

    def _assemble(self, ended_at: float) -> Result:
        return assemble_result(
            url=self._url,
            settings=self._settings,
            books=self._books,
            users=self._crowd.users,
            probes=self._probes,
            deploys=self._deploys,
            ended_at=ended_at,
        )

    @asynccontextmanager
    async def _watching(self) -> AsyncIterator[None]:
        """Probe while any client is cut, and report progress, as long as this lasts."""
        clock = self._books.clock
        watchers = [
            asyncio.create_task(
                probe_while_cut(
                    self._url,
                    self._crowd.cut_session,
                    clock.now,
                    self._probes,
                    self._settings.token,
                )
            ),
            asyncio.create_task(self._report_progress()),
        ]
        try:
            yield
        finally:
            for watcher in watchers:
                watcher.cancel()
            for watcher in watchers:
                with suppress(asyncio.CancelledError):
                    await watcher

    async def _report_progress(self) -> None:
        chat = self._books.chat
        while True:
            self._on_progress(
                Progress(
                    stage=self._stage,
                    seconds=self._books.clock.now(),
                    clients=self._settings.clients,
                    connected=self._crowd.connected,
                    messages=len(chat.messages),
                    acked=chat.acked,
                    deliveries=len(chat.latency),
                )
            )
            await asyncio.sleep(PROGRESS_SECONDS)
