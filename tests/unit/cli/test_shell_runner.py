"""Shell commands of `isshoni verify --during`: their output, their end, and Ctrl-C."""

import asyncio
import os
from pathlib import Path

import pytest

from isshoni.cli.shell_runner import ShellRunner
from isshoni.verify.ports import COMMAND_PHASE
from tests.support.waiting import wait_until


@pytest.mark.parametrize(
    ("command", "outcome"),
    [("true", "exit code 0"), ("exit 3", "exit code 3"), ("kill -9 $$", "signal 9")],
)
async def test_the_outcome_is_how_the_command_ended(command: str, outcome: str) -> None:
    report = await ShellRunner(print).deploy(command)
    assert report.outcome == outcome
    assert [phase.name for phase in report.phases] == [COMMAND_PHASE]


async def test_both_outputs_are_shown_line_by_line() -> None:
    shown: list[str] = []
    await ShellRunner(shown.append).deploy("echo one; echo two >&2; printf three")
    assert shown == ["one", "two", "three"]


async def test_a_command_that_leaves_a_program_in_the_background_ends() -> None:
    shown: list[str] = []
    report = await ShellRunner(shown.append).deploy("echo started; sleep 20 & echo $! >&2")
    assert report.outcome == "exit code 0"
    os.kill(int(shown[1]), 9)
    assert shown[0] == "started"


async def test_ctrl_c_reaches_the_command_and_waits_for_its_end(tmp_path: Path) -> None:
    done = tmp_path / "done"
    shown: list[str] = []
    body = f"trap 'echo back; touch {done}; exit 1' INT; echo ready; while :; do sleep 0.05; done"
    running = asyncio.create_task(ShellRunner(shown.append).deploy(body))
    await wait_until(lambda: shown == ["ready"], "the command runs")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert done.exists()
    assert shown == ["ready", "back"]
