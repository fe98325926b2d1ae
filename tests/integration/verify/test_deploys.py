"""Deploys during a run, made by whoever the caller says."""

import asyncio
import dataclasses
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from isshoni.rollout.errors import EnvironmentFault
from isshoni.verify.ports import DeployReport, PhaseSpan, WeightChange
from isshoni.verify.run import verify
from isshoni.verify.settings import InvalidRun, PlannedDeploy, RunSettings
from isshoni.verify.sla import SlaLimits
from isshoni.verify.users import Habits
from tests.integration.verify.backend import start_backend, wait_until_ready
from tests.support.valkey import ValkeyServer, find_free_port

SETTINGS = RunSettings(
    clients=6,
    sessions=2,
    talk_seconds=0.5,
    quiet_seconds=0.5,
    habits=Habits(messages_per_second=20.0),
)
V2 = PlannedDeploy("v2")


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ValkeyServer(tmp_path_factory.mktemp("valkey"), fsync="everysec") as server:
        yield server.url


class NothingMoves:
    """A deploy that takes half a second and touches nobody."""

    async def deploy(self, version: str) -> DeployReport:
        began_at = time.time()
        await asyncio.sleep(0.5)
        return DeployReport(
            outcome="promoted",
            bake_seconds=0.1,
            phases=(PhaseSpan("migrate", began_at, time.time()),),
            weights=(WeightChange(began_at, 0, 100),),
        )


class NothingWorks:
    """A deploy that cannot be made."""

    async def deploy(self, version: str) -> DeployReport:
        raise EnvironmentFault(f"no slot is free for {version}")


class Crash:
    """A deploy as careless people make it: kill the old one, later start the new one."""

    def __init__(self, redis_url: str, log_file: Path, port: int, down_seconds: float) -> None:
        self._redis_url = redis_url
        self._log_file = log_file
        self._port = port
        self._down_seconds = down_seconds
        self.running = ExitStack()

    async def start(self) -> None:
        self.running.enter_context(start_backend(self._redis_url, self._log_file, port=self._port))
        await wait_until_ready(self._port, self._log_file)

    async def deploy(self, version: str) -> DeployReport:
        self.running.close()
        await asyncio.sleep(self._down_seconds)
        await self.start()
        return DeployReport(outcome="promoted")


@pytest.mark.spec("E1")
async def test_a_deploy_is_timed_on_the_clock_of_the_run(redis_url: str, tmp_path: Path) -> None:
    log_file = tmp_path / "backend.log"
    with start_backend(redis_url, log_file) as port:
        await wait_until_ready(port, log_file)
        url = f"ws://127.0.0.1:{port}"
        result = await verify(url, SETTINGS, deploys=[V2], runner=NothingMoves())
    assert result.sla.met, result.sla.failed
    (deploy,) = result.deploys
    assert (deploy.version, deploy.outcome, deploy.bake_seconds) == ("v2", "promoted", 0.1)
    (phase,) = deploy.phases
    assert phase.began_at == pytest.approx(deploy.began_at, abs=0.2)
    assert 0 < deploy.began_at < phase.ended_at < result.seconds
    assert result.weights[0].green == 100
    assert result.delivery_ms.moving.count > 0
    assert result.delivery_ms.quiet.count > 0


async def test_a_deploy_that_cannot_be_made_fails_the_run(redis_url: str, tmp_path: Path) -> None:
    log_file = tmp_path / "backend.log"
    with start_backend(redis_url, log_file) as port:
        await wait_until_ready(port, log_file)
        url = f"ws://127.0.0.1:{port}"
        result = await verify(url, SETTINGS, deploys=[V2], runner=NothingWorks())
    assert result.sla.failed == (
        "Deploy of v2: failed (no slot is free for v2); promised: promoted.",
    )


@pytest.mark.spec("E3")
async def test_a_careless_deploy_cuts_everybody_and_the_part_at_fault_is_named(
    redis_url: str, tmp_path: Path
) -> None:
    port = find_free_port()
    crash = Crash(redis_url, tmp_path / "backend.log", port, down_seconds=2.5)
    settings = dataclasses.replace(SETTINGS, limits=SlaLimits(gap_seconds=2, cut_seconds=2))
    with crash.running:
        await crash.start()
        url = f"ws://127.0.0.1:{port}"
        result = await verify(url, settings, deploys=[V2], runner=crash)
    messages = result.messages
    assert (messages.lost, messages.doubled, messages.reordered) == (0, 0, 0)
    assert messages.acked == messages.sent
    assert result.gap_ms.clients_cut == 6
    assert result.gap_ms.p50 >= 2500
    # A client whose backoff had grown long may be at fault itself; nobody else can be.
    parts = {str(cut.part) for cut in result.long_cuts}
    assert "load balancer" in parts
    assert parts <= {"load balancer", "reconnect logic"}
    assert not result.sla.met
    assert any("connection refused" in sentence for sentence in result.sla.failed)


async def test_deploys_need_somebody_who_makes_them() -> None:
    with pytest.raises(InvalidRun, match="no runner to make them"):
        await verify("ws://127.0.0.1:1", SETTINGS, deploys=[V2])


@pytest.mark.parametrize(
    ("clients", "sessions", "quiet_seconds"), [(0, 0, 1.0), (3, 5, 1.0), (3, 1, 0.0)]
)
def test_a_run_that_cannot_be_made_is_refused(
    clients: int, sessions: int, quiet_seconds: float
) -> None:
    with pytest.raises(InvalidRun):
        RunSettings(clients=clients, sessions=sessions, quiet_seconds=quiet_seconds)
