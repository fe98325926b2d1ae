"""One HTML report of each kind and outcome, for tests that look at them in a browser."""

from collections.abc import Sequence
from pathlib import Path

from isshoni.engine.companions import Companion, Notes
from isshoni.engine.environment import Environment
from isshoni.engine.operations import Engine, deploy
from isshoni.engine.rollout_report.writer import ReportFiles, ReportWriter
from isshoni.rollout.model import Stable
from isshoni.rollout.plan import RolloutPlan
from isshoni.verify.report import render_report
from tests.support.fake_environment import V1, V2, FakePorts, World
from tests.support.memory_journal import MemoryJournal
from tests.support.world_clock import WorldClock
from tests.unit.verify.results import make_result

PLAN = RolloutPlan(bake_seconds=2.0, drain_timeout_seconds=30.0)


async def write_reports(directory: Path) -> None:
    """Write `verify-met`, `verify-broken`, `promoted` and `rolled-back`, each `.html`."""
    for name, bad in (("verify-met", False), ("verify-broken", True)):
        (directory / f"{name}.html").write_text(render_report(make_result(bad=bad, clients=30)))
    for name, faults in (("promoted", {}), ("rolled-back", {"error_share": 0.2})):
        (directory / f"{name}.html").write_text(await _render_rollout(directory / "made", faults))


async def _render_rollout(directory: Path, faults: dict[str, float]) -> str:
    world = World()
    world.candidate_faults = dict(faults)
    files = ReportFiles(directory)
    journal = MemoryJournal()
    journal.record_stable(Stable("blue", V1), at=world.now)
    ports = FakePorts(world)
    environment = Environment(ports, ports, ports, ports, journal)

    def gather(environment: Environment, notes: Notes) -> Sequence[Companion]:
        del notes
        return [ReportWriter(files, environment)]

    report = await deploy(Engine(environment, WorldClock(world), "tester", gather), V2, PLAN)
    return files.html(report.id).read_text()
