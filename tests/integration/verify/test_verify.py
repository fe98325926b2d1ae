"""A whole run against a real backend: sound, it meets the SLA; faulty, it says how."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

from isshoni.errors import ExitCode
from isshoni.verify.reach import CannotConnect
from isshoni.verify.result import Result
from isshoni.verify.run import Progress, verify
from isshoni.verify.settings import InvalidRun, RunSettings
from isshoni.verify.users import Habits
from tests.integration.verify.backend import start_backend, wait_until_ready
from tests.support.valkey import ValkeyServer, find_free_port

SETTINGS = RunSettings(
    clients=12,
    sessions=3,
    talk_seconds=3.0,
    quiet_seconds=3.0,
    warm_up_seconds=0.0,
    habits=Habits(messages_per_second=12.0, edits_per_second=6.0),
    settle_seconds=4.0,
)
KINDS_OF_USERS = pytest.mark.parametrize("full_clients", [12, 0], ids=["whole", "lean"])


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ValkeyServer(tmp_path_factory.mktemp("valkey"), fsync="everysec") as server:
        yield server.url


def _found(result: Result) -> set[str]:
    """Name the kinds of fault that a result reports."""
    messages, wire, edits = result.messages, result.wire, result.edits
    counts = {
        "lost": messages.lost,
        "doubled": messages.doubled,
        "reordered": messages.reordered,
        "foreign": messages.foreign,
        "unacked": messages.sent - messages.acked,
        "wire lost": wire.lost,
        "wire doubled": wire.doubled,
        "wire reordered": wire.reordered,
        "edits lost": edits.lost,
        "edits unsaved": edits.sent - edits.saved,
        "diverged": edits.diverged_sessions,
        "cut": result.gap_ms.clients_cut,
        "trouble": len(result.trouble),
    }
    return {kind for kind, count in counts.items() if count}


async def _verify(
    redis_url: str, tmp_path: Path, full_clients: int, *, fault: str | None = None
) -> Result:
    log_file = tmp_path / "backend.log"
    settings = dataclasses.replace(SETTINGS, full_clients=full_clients)
    with start_backend(redis_url, log_file, fault=fault, every=40) as port:
        await wait_until_ready(port, log_file)
        return await verify(f"ws://127.0.0.1:{port}", settings)


@pytest.mark.spec("A4", "E1", "E2")
@KINDS_OF_USERS
async def test_a_sound_backend_meets_the_sla(
    redis_url: str, tmp_path: Path, full_clients: int
) -> None:
    result = await _verify(redis_url, tmp_path, full_clients)
    assert _found(result) == set()
    assert result.sla.met, result.sla.failed
    assert result.messages.sent > 200
    assert result.messages.delivered == result.messages.sent * 4
    assert result.edits.saved == result.edits.sent > 100
    assert result.delivery_ms.quiet.count == result.messages.delivered
    assert result.connections[-1].connections == {"blue": 0}


@pytest.mark.spec("E1")
@KINDS_OF_USERS
@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        ("drop", {"lost", "wire lost"}),
        ("double", {"wire doubled"}),
        ("swap", {"wire reordered"}),
        ("cut", {"cut"}),
        ("lose_ack", {"unacked"}),
        ("lose_edit", {"edits lost", "diverged"}),
        ("forget_about", {"foreign"}),
    ],
)
async def test_a_faulty_backend_is_found_out(
    redis_url: str, tmp_path: Path, fault: str, kinds: set[str], full_clients: int
) -> None:
    result = await _verify(redis_url, tmp_path, full_clients, fault=fault)
    assert _found(result) == kinds, result.sla.failed
    assert result.sla.met == (kinds == {"cut"}), result.sla.failed


async def test_progress_is_told_while_a_run_lasts(redis_url: str, tmp_path: Path) -> None:
    told: list[Progress] = []
    log_file = tmp_path / "backend.log"
    settings = RunSettings(clients=4, sessions=2, talk_seconds=1.0, quiet_seconds=1.0)
    with start_backend(redis_url, log_file) as port:
        await wait_until_ready(port, log_file)
        await verify(f"ws://127.0.0.1:{port}", settings, on_progress=told.append)
    assert {progress.stage for progress in told} >= {"connect", "talk"}
    assert told[-1].connected == 4
    assert told[-1].messages >= told[0].messages


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_run_where_nothing_listens_is_refused_with_the_address(workers: int) -> None:
    url = f"ws://127.0.0.1:{find_free_port()}"
    settings = RunSettings(clients=2, sessions=2, workers=workers)
    with pytest.raises(CannotConnect, match=f"could connect to {url}: connection refused") as found:
        await verify(url, settings)
    assert found.value.exit_code == ExitCode.ENVIRONMENT


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "127.0.0.1:8000", "ws://", ""])
async def test_an_address_of_no_websockets_is_refused_at_once(url: str) -> None:
    with pytest.raises(InvalidRun, match="write ws://HOST:PORT"):
        await verify(url, RunSettings())


async def test_a_server_that_lets_no_client_in_is_judged() -> None:
    """It answers, so it is reachable; that it restores nothing is what the run shows."""

    async def refuse(socket: ServerConnection) -> None:
        async for _ in socket:
            await socket.send('{"type": "error", "code": "overloaded", "message": "later"}')

    settings = RunSettings(
        clients=2, sessions=1, talk_seconds=0.1, quiet_seconds=0.1, join_seconds=0.5
    )
    async with serve(refuse, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        result = await verify(f"ws://127.0.0.1:{port}", settings)
    assert not result.sla.met
    assert "2 of 2 clients never got into their session within 0.5 s." in result.sla.failed
