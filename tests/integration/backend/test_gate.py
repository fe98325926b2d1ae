"""Who gets in, as what, and for how long: real tokens over real sockets."""

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from isshoni.backend.security.auth import Role, TokenKey, Tokens
from isshoni.client import ConnectionState, SessionClient
from isshoni.verify.run import verify
from isshoni.verify.settings import RunSettings
from tests.integration.client.recorder import QUICK, Recorder
from tests.support.backend import BackendProcess, RawClient
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

OLD, NEW = TokenKey("k1", "1" * 32), TokenKey("k2", "2" * 32)
KEYS = f"{NEW.key_id}:{NEW.secret},{OLD.key_id}:{OLD.secret}"


def token(
    session: str,
    subject: str = "ann",
    role: Role = "write",
    seconds: float = 60,
    key: TokenKey = NEW,
    name: str | None = None,
) -> str:
    return Tokens((key,)).mint(
        session, subject=subject, role=role, expires_at=time.time() + seconds, name=name
    )


@pytest.fixture(scope="module")
def guarded(
    valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BackendProcess]:
    """A process that asks for tokens."""
    log = tmp_path_factory.mktemp("guarded") / "log"
    with BackendProcess(valkey.url, log, ISSHONI_TOKEN_KEYS=KEYS) as process:
        process.wait_until_ready()
        yield process


@pytest.fixture(scope="module")
def guarded_green(
    valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BackendProcess]:
    log = tmp_path_factory.mktemp("guarded-green") / "log"
    with BackendProcess(valkey.url, log, "green", ISSHONI_TOKEN_KEYS=KEYS) as process:
        process.wait_until_ready()
        yield process


async def enter(backend: BackendProcess, session_id: str, **claims: Any) -> RawClient:
    return await backend.connect(session_id, f"?token={token(session_id, **claims)}")


@pytest.mark.spec("A7")
async def test_only_a_good_token_is_let_in(guarded: BackendProcess, session_id: str) -> None:
    for good in (token(session_id), token("*"), token(session_id, key=OLD)):
        client = await guarded.connect(session_id, f"?token={good}")
        assert (await client.restore())["permit"]["subject"] == "ann"
        await client.close()
    forged = jwt.encode({"sub": "ann", "session": "*", "role": "write", "exp": 4e9}, "2" * 32)
    bad = {
        "": 4401,
        "garbage": 4401,
        token(session_id, seconds=-1): 4401,
        token(session_id, key=TokenKey("k3", "3" * 32)): 4401,
        token(session_id, key=TokenKey("k2", "3" * 32)): 4401,
        forged: 4401,
        token(session_id, role="admin"): 4401,  # type: ignore[arg-type]
        token(session_id, subject="a/b"): 4401,
        token("another"): 4403,
    }
    for text, code in bad.items():
        client = await guarded.connect(session_id, f"?token={text}")
        assert await client.close_code() == code, text
    client = await guarded.connect(session_id)
    assert await client.close_code() == 4401
    assert guarded.status()["counters"]["refused_unauthenticated"] >= 9
    assert guarded.status()["auth"] == "required"


@pytest.mark.spec("A7", "E1")
async def test_verify_runs_where_tokens_are_asked_for(guarded: BackendProcess) -> None:
    settings = RunSettings(
        clients=4, sessions=2, talk_seconds=0.5, quiet_seconds=0.2, token=token("*")
    )
    result = await verify(f"ws://127.0.0.1:{guarded.port}", settings)
    assert result.sla.met, result.sla.failed
    assert settings.token is not None
    assert settings.token not in repr(settings)


@pytest.mark.spec("A7")
async def test_a_program_brings_its_token_in_a_header(
    guarded: BackendProcess, session_id: str
) -> None:
    headers = {"Authorization": f"Bearer {token(session_id)}"}
    client = await guarded.connect(session_id, additional_headers=headers)
    await client.restore()
    await client.close()


@pytest.mark.spec("A7")
async def test_a_reader_hears_everything_and_changes_nothing(
    guarded: BackendProcess, session_id: str
) -> None:
    reader = await enter(guarded, session_id, role="read", subject="rea")
    await reader.restore(client_id="r", can=["canvas"])
    await reader.chat(1)
    assert (await reader.read("error"))["code"] == "read_only"
    await reader.connection.send(b"\x00\x02\x05\x01\x01\x01\x00\x00")
    assert (await reader.read("error"))["code"] == "read_only"
    writer = await enter(guarded, session_id, name="Ann")
    await writer.restore(client_id="w")
    await writer.chat(1, "from ann")
    event = await reader.read("chat")
    assert (event["text"], event["by"], event["name"], event["seq"]) == (
        "from ann",
        "ann",
        "Ann",
        1,
    )
    for client in (reader, writer):
        await client.close()


@pytest.mark.spec("A4", "A7")
async def test_nobody_is_acknowledged_in_the_place_of_another(
    guarded: BackendProcess, session_id: str
) -> None:
    ann, eve = await enter(guarded, session_id), await enter(guarded, session_id, subject="eve")
    await ann.restore(client_id="tab")
    await eve.restore(client_id="tab")
    for n in (1, 2, 3):
        await eve.chat(n, "mine")
        await eve.read("ack")
    await ann.chat(1, "hers")
    assert (await ann.read("ack"))["seq"] == 4
    for client in (ann, eve):
        await client.close()


@pytest.mark.spec("A7")
async def test_a_token_that_runs_out_ends_the_connection_unless_renewed(
    guarded: BackendProcess, session_id: str
) -> None:
    renewing = await enter(guarded, session_id, seconds=2)
    await renewing.restore()
    silent = await enter(guarded, session_id, seconds=2)
    await silent.restore()
    await renewing.send(type="authenticate", token=token(session_id, seconds=60))
    assert (await renewing.read("authenticated"))["permit"]["expires_in_ms"] > 10_000
    for bad in ("garbage", token("another"), token(session_id, subject="eve")):
        await renewing.send(type="authenticate", token=bad)
        assert (await renewing.read("error"))["code"] == "bad_token"
    assert await silent.close_code() == 4401
    await renewing.chat(1)
    await renewing.read("ack")
    await renewing.close()


@pytest.fixture
async def renewing_client(
    guarded: BackendProcess, session_id: str
) -> AsyncIterator[tuple[SessionClient, Recorder, list[str]]]:
    given: list[str] = []

    async def fresh() -> str:
        given.append(token(session_id, seconds=2))
        return given[-1]

    recorder = Recorder()
    url = guarded.url.replace("http", "ws")
    async with SessionClient(
        url, session_id, token=fresh, listener=recorder, settings=QUICK
    ) as client:
        assert await client.wait_until_restored(5)
        yield client, recorder, given


@pytest.mark.spec("A7", "B1")
async def test_the_client_renews_before_its_token_is_over(
    renewing_client: tuple[SessionClient, Recorder, list[str]],
) -> None:
    client, recorder, given = renewing_client
    await wait_until(lambda: len(given) >= 4, "renewals", within_seconds=15)
    client.send_chat("still here")
    assert await client.wait_until_saved(5)
    assert recorder.states == [ConnectionState.RESTORED]


@pytest.mark.spec("A7", "B1")
async def test_a_client_whose_tokens_are_refused_stays_away(
    guarded: BackendProcess, session_id: str
) -> None:
    asked = 0

    async def bad() -> str:
        nonlocal asked
        asked += 1
        return "garbage"

    recorder = Recorder()
    url = guarded.url.replace("http", "ws")
    async with SessionClient(url, session_id, token=bad, listener=recorder, settings=QUICK):
        await recorder.until(lambda: ConnectionState.REFUSED in recorder.states)
    assert asked == 4


@pytest.mark.spec("A7", "B2")
async def test_a_move_needs_no_token(
    guarded: BackendProcess, guarded_green: BackendProcess, session_id: str
) -> None:
    client = await enter(guarded, session_id, role="read", subject="ann", seconds=30)
    await client.restore(can=["migrate", "canvas"])
    guarded.admin(
        "POST", "/admin/migrate", {"to": "green", "rate_per_second": 100, "within_seconds": 5}
    )
    ticket = (await client.read("migrate"))["ticket"]
    guarded.admin("POST", "/admin/migrate/cancel")
    moved = await guarded_green.connect(session_id, f"?target=green&ticket={ticket}")
    permit = (await moved.restore())["permit"]
    assert (permit["subject"], permit["role"]) == ("ann", "read")
    assert 0 < permit["expires_in_ms"] <= 30_000
    for each in (client, moved):
        await each.close()


@pytest.mark.spec("A7", "B2")
async def test_turning_tokens_on_cuts_no_guest_that_moves(
    backend: BackendProcess, guarded_green: BackendProcess, session_id: str
) -> None:
    guest = await backend.join(session_id, can=["migrate"])
    backend.admin(
        "POST", "/admin/migrate", {"to": "green", "rate_per_second": 100, "within_seconds": 5}
    )
    ticket = (await guest.read("migrate"))["ticket"]
    backend.admin("POST", "/admin/migrate/cancel")
    moved = await guarded_green.connect(session_id, f"?target=green&ticket={ticket}")
    permit = (await moved.restore())["permit"]
    assert permit["subject"] is None
    assert permit["expires_in_ms"] <= 3_600_000
    for client in (guest, moved):
        await client.close()


@pytest.mark.spec("A7")
async def test_guest_mode_says_so(backend: BackendProcess) -> None:
    assert backend.status()["auth"] == "guest"
    assert "event=open_to_guests" in backend.log


@pytest.mark.spec("A7")
async def test_pages_of_other_origins_are_refused_before_the_handshake(
    backend: BackendProcess, session_id: str
) -> None:
    own = f"http://127.0.0.1:{backend.port}"
    client = await backend.connect(session_id, origin=own)
    await client.restore()
    await client.close()
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{backend.port}.evil", ""):
        with pytest.raises(InvalidStatus) as refused:
            await backend.connect(session_id, additional_headers={"Origin": origin})
        assert refused.value.response.status_code == 403, origin
    assert "event=refused_origin" in backend.log
    assert "the page is from https://evil.example, but the request was for" in backend.log


@pytest.mark.spec("A7")
async def test_listed_origins_are_let_in_and_no_other(
    valkey: ValkeyServer, tmp_path: Path, session_id: str
) -> None:
    listed = "https://a.example,https://b.example"
    with BackendProcess(valkey.url, tmp_path / "log", ISSHONI_ORIGINS=listed) as backend:
        backend.wait_until_ready()
        client = await backend.connect(session_id, origin="https://B.example")
        await client.restore()
        await client.close()
        with pytest.raises(InvalidStatus):
            await backend.connect(session_id, origin=f"http://127.0.0.1:{backend.port}")
        with pytest.raises(ConnectionClosed):
            await (await backend.connect(session_id, "?ticket=bad")).next_frame()
        assert backend.status()["counters"]["refused_origin"] == 1
