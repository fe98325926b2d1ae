"""A run whose users are in several processes: the same verdict, and no silent death."""

import asyncio
import dataclasses
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from isshoni.verify.result import Result
from isshoni.verify.run import Progress, verify
from isshoni.verify.settings import RunSettings
from isshoni.verify.users import Habits
from isshoni.verify.worker_load import WorkerDied
from tests.integration.verify.backend import start_backend, wait_until_ready
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

SETTINGS = RunSettings(
    clients=12,
    sessions=3,
    workers=2,
    full_clients=3,
    talk_seconds=2.0,
    quiet_seconds=0.5,
    warm_up_seconds=0.5,
    habits=Habits(messages_per_second=12.0, edits_per_second=6.0),
    settle_seconds=4.0,
)


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ValkeyServer(tmp_path_factory.mktemp("valkey"), fsync="everysec") as server:
        yield server.url


def _workers() -> list[psutil.Process]:
    """Return the worker processes of this process."""
    found = psutil.Process().children()
    return [it for it in found if "isshoni.verify.worker" in it.cmdline()]


@pytest.mark.spec("E1")
async def test_two_processes_see_what_one_would_see(redis_url: str, tmp_path: Path) -> None:
    progress: list[Progress] = []
    log_file = tmp_path / "backend.log"
    with start_backend(redis_url, log_file) as port:
        await wait_until_ready(port, log_file)
        url = f"ws://127.0.0.1:{port}"
        result = await verify(url, SETTINGS, on_progress=progress.append)
    assert result.sla.met, result.sla.failed
    assert result.messages.sent > 150
    assert result.messages.delivered == result.messages.sent * 4
    assert result.edits.saved == result.edits.sent > 50
    assert result.connections[-1].connections == {"blue": 0}
    assert len({row.client_id for row in result.timelines}) == 12
    assert len({row.session_id for row in result.timelines}) == 3
    assert 0 < result.delivery_ms.quiet.count < result.messages.delivered
    assert progress[-1].connected == 12
    assert result.load is not None
    assert (result.load.processes, result.load.whole_clients) == (2, 3)
    assert 0 < result.load.cpu_seconds < result.load.machine_cpu_seconds
    assert not _workers()


@pytest.mark.spec("E1")
@pytest.mark.parametrize("fault", ["drop", "lose_edit"])
async def test_a_fault_in_the_sessions_of_any_process_is_found(
    redis_url: str, tmp_path: Path, fault: str
) -> None:
    log_file = tmp_path / "backend.log"
    with start_backend(redis_url, log_file, fault=fault, every=40) as port:
        await wait_until_ready(port, log_file)
        result = await verify(f"ws://127.0.0.1:{port}", SETTINGS)
    assert not result.sla.met
    assert result.messages.lost if fault == "drop" else result.edits.lost


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_process_that_dies_is_an_error_and_no_result(
    redis_url: str, tmp_path: Path, how: signal.Signals
) -> None:
    log_file = tmp_path / "backend.log"
    stages: list[str] = []
    with start_backend(redis_url, log_file) as port:
        await wait_until_ready(port, log_file)
        run: asyncio.Task[Result] = asyncio.create_task(
            verify(
                f"ws://127.0.0.1:{port}",
                dataclasses.replace(SETTINGS, talk_seconds=5.0),
                on_progress=lambda progress: stages.append(progress.stage),
            )
        )
        await wait_until(lambda: "talk" in stages, "users that talk", within_seconds=30)
        one, other = _workers()
        os.kill(one.pid, how)
        with pytest.raises(WorkerDied, match="what its users saw is unknown"):
            await asyncio.wait_for(run, 30)
        assert not other.is_running() or other.status() == psutil.STATUS_ZOMBIE


async def test_a_run_that_is_cancelled_leaves_no_process(redis_url: str, tmp_path: Path) -> None:
    log_file = tmp_path / "backend.log"
    stages: list[str] = []
    with start_backend(redis_url, log_file) as port:
        await wait_until_ready(port, log_file)
        run = asyncio.create_task(
            verify(
                f"ws://127.0.0.1:{port}",
                SETTINGS,
                on_progress=lambda progress: stages.append(progress.stage),
            )
        )
        await wait_until(lambda: "warm up" in stages, "users that talk", within_seconds=30)
        assert len(_workers()) == 2
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    assert not _workers()
