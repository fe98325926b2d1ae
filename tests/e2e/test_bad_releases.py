"""Bad releases of the real backend, under live users: each caught in its phase, nothing lost.

One installation and one crowd for all: the releases come one after another, as in life.
"""

import asyncio
import contextlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.installation import Installation, installation
from tests.support.live_crowd import LiveCrowd

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

BAD = Path(__file__).parents[1] / "releases" / "bad.py"
BEFORE_ANYBODY = ["prepare", "health", "rollback"]
IN_THE_CANARY = ["prepare", "health", "canary", "rollback"]


@dataclass(frozen=True)
class Bad:
    """A release, where it must be caught, and causes of which the report names one."""

    fault: str
    phases: list[str]
    causes: tuple[str, ...]


RELEASES = [
    Bad("newer_form", BEFORE_ANYBODY, ("writes what v1.0 cannot read: chat:2",)),
    Bad("answer_5xx", IN_THE_CANARY, ("5xx", "probes turned away")),
    Bad("refuse", IN_THE_CANARY, ("5xx", "probes turned away")),
    Bad("hang", IN_THE_CANARY, ("probes turned away",)),
    Bad("lose_ack", IN_THE_CANARY, ("probe messages without ack",)),
    Bad("double", IN_THE_CANARY, ("probe messages doubled",)),
    Bad("slow", IN_THE_CANARY, ("looks with slow acks",)),
    # Of this death one need not wait 20 s to see what becomes of people.
    Bad("leak --every 15", IN_THE_CANARY, ("green died while clients could be on it",)),
    Bad("read_only", BEFORE_ANYBODY, ("READONLY",)),
    Bad("read_only_for_clients", IN_THE_CANARY, ("redis errors", "probe messages without ack")),
]


@dataclass(frozen=True)
class Site:
    """The installation, and the people on it."""

    platform: Installation
    crowd: LiveCrowd

    async def deploy(self, version: str, *arguments: str) -> dict[str, Any]:
        """Deploy while people talk; gives the report, once all they said has arrived."""
        deploy = asyncio.to_thread(self.platform.run, "deploy", version, "--json", *arguments)
        done = await self.crowd.talk_through(deploy)
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    async def assert_nothing_was_lost(self) -> None:
        """Hold the ledger of everybody, from the first release on, against what is there."""
        result = await self.crowd.judge()
        messages, edits = result.messages, result.edits
        assert messages.acked == messages.sent > 0
        assert (messages.lost, messages.doubled, messages.reordered) == (0, 0, 0)
        assert (edits.lost, edits.diverged_sessions) == (0, 0)
        assert not result.trouble


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncIterator[Site]:
    with installation(bake_seconds=1.0, migrate_within_seconds=3.0) as platform:
        await asyncio.to_thread(platform.up)
        crowd = LiveCrowd(platform.status()["address"].replace("http", "ws", 1))
        try:
            await crowd.come()
            yield Site(platform, crowd)
        finally:
            await crowd.leave()


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


@pytest.mark.spec("A4", "C3", "C6")
@pytest.mark.parametrize("bad", RELEASES, ids=lambda bad: bad.fault.split()[0])
async def test_bad_release_is_caught_in_its_phase_and_nothing_is_lost(site: Site, bad: Bad) -> None:
    program = shlex.join([sys.executable, str(BAD)])
    command = f"{program} --fault {bad.fault} {{port}} {{admin_port}}"
    report = await site.deploy("bad", "--command", command)
    assert report["outcome"] == "rolled_back", report
    assert [phase["name"] for phase in report["phases"]] == bad.phases
    assert any(cause in report["reason"] for cause in bad.causes), report["reason"]
    await site.assert_nothing_was_lost()


@pytest.mark.spec("C3")
async def test_good_release_beside_a_noisy_neighbour_is_not_rolled_back(site: Site) -> None:
    with noise():
        report = await site.deploy("v2")
    assert report["outcome"] == "promoted", report["reason"]
    assert [judged["verdict"]["kind"] for judged in report["judgements"]] == ["pass"] * 3
    await site.assert_nothing_was_lost()
