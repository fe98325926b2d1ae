"""A console of the dashboard over a simulated environment."""

from pathlib import Path
from typing import Any

import httpx

from isshoni.dashboard.access import Access
from isshoni.dashboard.app import create_app
from isshoni.dashboard.commands import Started
from isshoni.dashboard.console import Console, Logs
from isshoni.engine.environment import Environment
from isshoni.engine.lease import describe_self
from isshoni.engine.operations import Engine
from isshoni.engine.rollout_report.writer import ReportFiles, ReportWriter
from isshoni.rollout.model import Stable
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import begin_rollout
from tests.support.fake_environment import V1, V2, FakePorts, World
from tests.support.memory_journal import MemoryJournal
from tests.support.world_clock import WorldClock

TOKEN = "correct horse"
BEARER = {"authorization": f"Bearer {TOKEN}"}
LOCAL = "http://127.0.0.1:8087"


class FakeCommands:
    """Remembers what was started."""

    def __init__(self) -> None:
        self.started: list[Started] = []

    @property
    def last(self) -> Started | None:
        return self.started[-1] if self.started else None

    async def start(self, verb: str, *arguments: str, who: str) -> None:
        self.started.append(Started(verb, arguments, who, 1.0))

    async def plan(self, verb: str, *arguments: str) -> dict[str, Any]:
        return {"would": [verb, *arguments]}


class Stage:
    """A console over a world, and what was started by it."""

    def __init__(self, directory: Path) -> None:
        self.world = World()
        self.journal = MemoryJournal()
        self.journal.record_stable(Stable("blue", V1), at=self.world.now)
        self.commands = FakeCommands()
        self.allows_deploy = False
        self.log = ["said this", "Said That", "said this again"]
        ports = FakePorts(self.world)
        self.reports = ReportFiles(directory)
        environment = Environment(ports, ports, ports, ports, self.journal)
        self.engine = Engine(
            environment,
            WorldClock(self.world),
            "ann",
            lambda e, _: [ReportWriter(self.reports, e)],
        )

    @property
    def console(self) -> Console:
        return Console(
            self.engine,
            self.reports,
            Logs(lambda: ["blue", "green", "green-worker", "relay"], self._read_log),
            self.commands,
            "http://127.0.0.1:8080",
            TOKEN.encode(),
            self.allows_deploy,
        )

    async def _read_log(self, name: str, lines: int) -> list[str]:
        return [f"{name} {line}" for line in self.log][-lines:]

    def begin_rollout(self) -> None:
        """Leave a rollout under way, in the hands of this process."""
        now = self.world.now
        lease = self.journal.take_lease(describe_self("deploy v2", now), now=now, ttl_seconds=5)
        rollout = begin_rollout("r1", V2, RolloutPlan(), Stable("blue", V1), now)
        self.journal.save(rollout, [], lease=lease, revision=0)

    def visit(self, *, guarded: bool = False, base: str = LOCAL) -> httpx.AsyncClient:
        app = create_app(self.console, Access(TOKEN, guarded))
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base)
