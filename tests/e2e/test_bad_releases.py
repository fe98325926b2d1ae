"""Bad releases of the real backend, under live users: caught in the canary, nothing lost."""

import asyncio
import contextlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isshoni.verify.ports import DeployReport
from isshoni.verify.result import Result
from isshoni.verify.run import verify
from isshoni.verify.settings import PlannedDeploy, RunSettings
from isshoni.verify.users import Habits
from tests.support.installation import Installation, installation

pytestmark = pytest.mark.e2e

BAD = Path(__file__).parents[1] / "releases" / "bad.py"
SETTINGS = RunSettings(
    clients=8, sessions=2, talk_seconds=1.0, quiet_seconds=0.5, habits=Habits(4.0, 1.0)
)


@pytest.fixture(scope="module")
def platform() -> Iterator[Installation]:
    with installation(bake_seconds=2.0) as made:
        made.up()
        yield made


@contextlib.contextmanager
def noise() -> Iterator[None]:
    """Keep every core busy, in bursts, beside whatever is deployed."""
    burst = "import time\nwhile True:\n end = time.time() + 0.4\n while time.time() < end: pass"
    burst += "\n time.sleep(0.2)"
    hogs = [subprocess.Popen([sys.executable, "-c", burst]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


class Deploys:
    """Deploys by the command, and keeps its report."""

    def __init__(self, platform: Installation, command: str | None) -> None:
        self._platform = platform
        self._arguments = ["--command", command] if command else []
        self.report: dict[str, Any] = {}

    async def deploy(self, version: str) -> DeployReport:
        done = await asyncio.to_thread(
            self._platform.run, "deploy", version, "--json", *self._arguments
        )
        self.report = json.loads(done.stdout)
        return DeployReport(self.report["outcome"], reason=self.report["reason"])


def deploy_under_users(
    platform: Installation, command: str | None, expected: str
) -> tuple[Result, dict[str, Any]]:
    runner = Deploys(platform, command)
    planned = PlannedDeploy("v2", expected)
    url = platform.status()["address"].replace("http", "ws", 1)
    result = asyncio.run(verify(url, SETTINGS, deploys=[planned], runner=runner))
    return result, runner.report


@pytest.mark.spec("A4", "C3", "C6")
@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ("answer_5xx", "5xx"),
        ("refuse", "5xx"),
        ("hang", "probes turned away"),
        ("lose_ack", "probe messages without ack"),
        ("double", "probe messages doubled"),
        ("slow", "looks with slow acks"),
        ("leak --every 15", "green died while people could be on it"),
        ("read_only", "redis errors"),
    ],
)
def test_bad_release_is_caught_in_the_canary_and_nothing_is_lost(
    platform: Installation, fault: str, named: str
) -> None:
    program = shlex.join([sys.executable, str(BAD)])
    command = f"{program} --fault {fault} {{port}} {{admin_port}}"
    result, report = deploy_under_users(platform, command, "rolled_back")
    assert report["outcome"] == "rolled_back", report
    assert report["phases"][-2]["name"] == "canary"
    assert named in report["reason"]
    assert report["rollback_seconds"]["new_connections"] <= 2.0
    messages, edits = result.messages, result.edits
    assert messages.acked == messages.sent > 0
    assert (messages.lost, messages.reordered, edits.lost) == (0, 0, 0)


@pytest.mark.spec("C3")
def test_good_release_beside_a_noisy_neighbour_is_not_rolled_back(platform: Installation) -> None:
    with noise():
        result, report = deploy_under_users(platform, None, "promoted")
    assert report["outcome"] == "promoted", report["reason"]
    assert [judged["verdict"]["kind"] for judged in report["judgements"]] == ["pass"] * 3
    assert (result.messages.lost, result.messages.doubled, result.edits.lost) == (0, 0, 0)
