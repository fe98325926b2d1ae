"""The panel in the terminal says what the dashboard says."""

import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from isshoni.cli.panel import State, draw_panel
from isshoni.engine.environment import Environment
from isshoni.engine.operations import Engine, deploy
from isshoni.engine.readings import Reading, take_reading
from isshoni.engine.reconciler import TurnReport
from isshoni.engine.snapshot import show_move, show_observation, show_rollout
from isshoni.engine.sqlite_journal import SqliteJournal
from isshoni.rollout.model import Release, Stable
from isshoni.rollout.plan import RolloutPlan
from tests.support.fake_environment import V1, FakePorts, World
from tests.support.world_clock import WorldClock

PLAN = RolloutPlan(bake_seconds=2.0, drain_timeout_seconds=30.0)


async def watch(
    world: World, directory: Path, label: str = "v2", states: list[State] | None = None
) -> list[str]:
    """Deploy; return what the panel said at every turn, and add each state to `states`."""
    said: list[str] = []
    states = [] if states is None else states
    readings: list[Reading] = []

    def show(turn: TurnReport) -> None:
        readings.append(take_reading(turn, counters=False))
        state: State = {
            "at": turn.at,
            "rollout": show_rollout(turn.rollout),
            "seen": turn.seen and show_observation(turn.seen),
            "fault": turn.fault,
            "move": show_move(readings),
        }
        states.append(state)
        said.append(_print(state))

    journal = SqliteJournal(directory / "j.db")
    journal.record_stable(Stable("blue", V1), at=world.now)
    ports = FakePorts(world)
    engine = Engine(Environment(ports, ports, ports, ports, journal), WorldClock(world), "tester")
    await deploy(engine, Release(label), PLAN, on_progress=show)
    journal.close()
    return said


def _print(state: State) -> str:
    out = StringIO()
    Console(file=out, width=100, color_system=None).print(draw_panel(state))
    return out.getvalue()


@pytest.mark.spec("F1")
async def test_a_deploy_shows_phases_weights_health_people_and_verdicts(tmp_path: Path) -> None:
    said = await watch(World(), tmp_path)
    canary = next(text for text in said if "baking" in text and "canary 50 %" in text)
    assert "✓ prepare  ✓ health  ● canary  ○ migrate  ○ finish" in canary.replace("\u00a0", " ")
    assert re.search(r"blue +v1 +healthy +50 % +\d+", canary)
    assert re.search(r"green +v2 +healthy +50 % +\d+", canary)
    assert any("10 % → 50 %" in text for text in said)
    moved = re.compile(r"moved \d+ of \d+ asked to move, \d+ remain, [\d.]+ a second")
    assert any(moved.search(text) for text in said)
    assert any("pass: within every limit" in text for text in said)
    assert "v2 promoted" in said[-1]


@pytest.mark.spec("F1", "C6")
async def test_a_rollback_shows_its_reason_and_both_clocks(tmp_path: Path) -> None:
    world = World()
    world.candidate_faults = {"error_share": 0.2}
    said = await watch(world, tmp_path)
    back = [text for text in said if "rolling back" in text]
    assert "5xx" in back[0]
    assert "… new connections on stable" in back[0]
    assert any("✓ new connections on stable" in text for text in back)
    assert "v2 rolled back" in said[-1]


async def test_names_are_shown_as_they_are(tmp_path: Path) -> None:
    said = await watch(World(), tmp_path, "[bold]v2[/]")
    assert "[bold]v2[/] deploying" in said[0]


async def test_in_a_pipe_the_panel_is_as_wide_as_its_longest_line(tmp_path: Path) -> None:
    states: list[State] = []
    await watch(World(), tmp_path, states=states)

    out = StringIO()
    Console(file=out, width=10_000, color_system=None).print(draw_panel(states[-1], expand=False))
    lines = out.getvalue().splitlines()

    assert "promoted" in lines[0] and any("blue" in line for line in lines)
    assert {len(line) for line in lines} == {len(lines[0])}
    assert len(lines[0]) < 120
