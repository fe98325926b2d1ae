"""Each bound on what clients may do, reached over real sockets."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pycrdt
import pytest

from isshoni.backend.security.tickets import Tickets
from isshoni.client import SessionClient
from isshoni.session.sync import make_awareness, make_step1, make_update
from tests.integration.client.recorder import QUICK, Recorder
from tests.support.backend import TICKET_SECRET, BackendProcess, RawClient
from tests.support.valkey import ValkeyServer


@contextmanager
def limited(valkey: ValkeyServer, **environment: object) -> Iterator[BackendProcess]:
    """Run a process with some limits lowered."""
    named = {f"ISSHONI_{name}": str(value) for name, value in environment.items()}
    with (
        TemporaryDirectory() as directory,
        BackendProcess(valkey.url, Path(directory) / "log", program=None, **named) as backend,
    ):
        backend.wait_until_ready()
        yield backend


@pytest.mark.spec("A7", "A4")
async def test_a_client_that_is_too_fast_is_told_and_loses_nothing(
    valkey: ValkeyServer, session_id: str
) -> None:
    with limited(valkey, CHAT_PER_SECOND=200, CHAT_BURST=50) as backend:
        recorder = Recorder()
        url = backend.url.replace("http", "ws")
        async with SessionClient(url, session_id, listener=recorder, settings=QUICK) as client:
            assert await client.wait_until_restored(5)
            texts = [f"message {number}" for number in range(300)]
            for text in texts:
                client.send_chat(text)
            assert await client.wait_until_saved(20)
        assert backend.status()["counters"]["rate_limited"] >= 1
        late = await backend.join(session_id)
        await late.close()
        reader = await backend.connect(session_id)
        await reader.send(
            type="restore_session",
            session_id=session_id,
            position={"epoch": "another", "seq": 0},
        )
        history = (await reader.read("session_restored"))["chat_history"]
        await reader.close()
    assert [event["text"] for event in history] == texts[-len(history) :]
    assert history[-1]["seq"] == 300


@pytest.mark.spec("A7")
async def test_the_answer_says_when_to_come_again(valkey: ValkeyServer, session_id: str) -> None:
    with limited(valkey, CHAT_PER_SECOND=1, CHAT_BURST=50) as backend:
        client = await backend.join(session_id, client_id="c")
        began = time.monotonic()
        for n in range(1, 101):
            await client.chat(n)
        error = await client.read("error")
        assert error["code"] == "rate_limited"
        assert 51 <= error["n"] <= 51 + (time.monotonic() - began)
        assert 45_000 <= error["retry_after_ms"] <= 51_000
        await client.close()


@pytest.mark.spec("A4")
async def test_nothing_overtakes_a_message_refused_for_its_rate(
    valkey: ValkeyServer, session_id: str
) -> None:
    """Message 1 of an unknown client refused and 2 taken would make 1 a resend: lost."""
    with limited(valkey, CHAT_PER_SECOND=1, CHAT_BURST=50) as backend:
        client = await backend.join(session_id, client_id="before")
        for n in range(1, 51):
            await client.chat(n)
        while (await client.read("ack"))["n"] < 50:
            pass
        for attempt in range(20):
            await client.restore(client_id=f"unknown-{attempt}")
            await client.chat(1, "first")
            # A second has passed on a busy machine, and one more may pass: take that too.
            if (refused := await client.read("error", "ack"))["type"] == "error":
                break
        assert refused["code"] == "rate_limited"
        await asyncio.sleep(1.1)
        await client.chat(2, "second")
        error = await client.read("error", "ack")
        assert (error["code"], error["expected"]) == ("gap", 1)
        await client.close()


@pytest.mark.spec("A7")
async def test_one_that_never_slows_down_is_closed_for_good(
    valkey: ValkeyServer, session_id: str
) -> None:
    with limited(valkey, REQUESTS_PER_SECOND=1, REQUESTS_BURST=20, REFUSALS_BURST=30) as backend:
        client = await backend.join(session_id)
        for _ in range(60):
            await client.send(type="ping")
        assert await client.close_code() == 4429
        assert backend.status()["counters"]["closed_too_fast"] == 1


@pytest.mark.spec("A7", "A4")
async def test_canvas_frames_that_are_too_many_wait_and_none_is_lost(
    valkey: ValkeyServer, session_id: str
) -> None:
    with limited(valkey, CANVAS_FRAMES_PER_SECOND=100, CANVAS_FRAMES_BURST=10) as backend:
        client = await backend.join(session_id, can=["canvas"])
        doc: pycrdt.Doc[Any] = pycrdt.Doc()
        elements: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)
        began = time.monotonic()
        for number in range(60):
            state = doc.get_state()
            elements[f"e{number}"] = "x"
            await client.connection.send(make_update(doc.get_update(state)))
        while (await client.read("saved"))["updates"] < 60:
            pass
        assert time.monotonic() - began > 0.4
        assert backend.status()["counters"]["canvas_paused"] > 0
        await client.close()


@pytest.mark.spec("A7")
async def test_a_full_canvas_takes_only_what_is_small(
    valkey: ValkeyServer, session_id: str
) -> None:
    with limited(valkey, MAX_CANVAS_BYTES=20_000) as backend:
        client = await backend.join(session_id, can=["canvas"])
        doc: pycrdt.Doc[Any] = pycrdt.Doc()
        elements: pycrdt.Map[Any] = doc.get("elements", type=pycrdt.Map)

        def draw(text: str) -> bytes:
            state = doc.get_state()
            elements["e"] = text
            return make_update(doc.get_update(state))

        await client.connection.send(draw("x" * 19_900))
        assert await client.read("saved")
        await client.connection.send(draw("small"))
        assert (await client.read("saved"))["updates"] == 2
        await client.connection.send(draw("y" * 5_000))
        assert (await client.read("error"))["code"] == "canvas_full"
        # What follows builds on what was refused.
        await client.connection.send(draw("small"))
        assert (await client.read("error"))["code"] == "canvas_full"
        await client.close()


@pytest.mark.spec("A7")
async def test_awareness_is_thinned_and_the_newest_arrives(
    valkey: ValkeyServer, session_id: str
) -> None:
    with limited(valkey, AWARENESS_PER_SECOND=10) as backend:
        sender, hearer = await backend.join(session_id), await backend.join(session_id)
        await hearer.connection.send(make_step1(pycrdt.Doc()))
        await hearer.read_binary()
        awareness = pycrdt.Awareness(pycrdt.Doc())
        began = time.monotonic()
        for number in range(40):
            awareness.set_local_state({"at": number})
            update = awareness.encode_awareness_update([awareness.client_id])
            await sender.connection.send(make_awareness(update))
        heard = 0
        async with asyncio.timeout(20):
            while True:
                frame = await hearer.read_binary()
                heard += frame[:1] == b"\x01"
                if b'"at":39' in frame:
                    break
        assert heard <= 2 + 10 * (time.monotonic() - began)
        for client in (sender, hearer):
            await client.close()


@pytest.mark.spec("A7")
async def test_capacity_closes_with_1013_and_spares_those_who_move(
    valkey: ValkeyServer, session_id: str
) -> None:
    from tests.integration.backend.test_hostile import _ticket

    with limited(valkey, MAX_SESSIONS=2, MAX_CONNECTIONS_PER_SESSION=2) as backend:
        held = [await backend.join(session_id), await backend.join(session_id)]
        third = await backend.connect(session_id)
        assert await third.close_code() == 1013
        held.append(await backend.join(f"{session_id}-2"))
        other = await backend.connect(f"{session_id}-3")
        assert await other.close_code() == 1013
        moving = await backend.connect(session_id, f"?target=blue&ticket={_ticket(session_id)}")
        await moving.restore()
        assert backend.status()["counters"]["refused_full"] == 2
        assert backend.status()["counters"]["connections_failed"] == 0
        for client in [*held, moving]:
            await client.close()


@pytest.mark.spec("A7")
async def test_one_ticket_lets_one_connection_past_the_limits(
    valkey: ValkeyServer, session_id: str
) -> None:
    with limited(valkey, MAX_CONNECTIONS=3) as backend:
        tickets = Tickets(TICKET_SECRET)

        async def move(ticket: str) -> RawClient:
            return await backend.connect(session_id, f"?target=blue&ticket={ticket}")

        held = [await backend.join(session_id) for _ in range(3)]
        ticket = tickets.issue(session_id, "blue")
        moved = await move(ticket)
        await moved.restore()
        for _ in range(5):
            again = await move(ticket)
            assert await again.close_code() == 1013
        # Below the limit the same ticket is as good as none: a move may need a second attempt.
        await moved.close()
        await held.pop().close()
        await asyncio.to_thread(backend.wait_until, lambda: backend.status()["connections"] == 2)
        held.append(await move(ticket))
        await held[-1].restore()
        # Twice the limit is what two colours hold together: beyond it nothing is let in.
        for _ in range(3):
            held.append(await move(tickets.issue(session_id, "blue")))
            await held[-1].restore()
        beyond = await move(tickets.issue(session_id, "blue"))
        assert await beyond.close_code() == 1013
        for client in held:
            await client.close()


async def _from(backend: BackendProcess, session_id: str, forwarded: str) -> RawClient:
    headers = {"X-Forwarded-For": forwarded}
    return await backend.connect(session_id, additional_headers=headers)


@pytest.mark.spec("A7")
async def test_connections_are_counted_by_what_our_proxy_wrote(
    valkey: ValkeyServer, session_id: str
) -> None:
    with limited(valkey, MAX_CONNECTIONS_PER_ADDRESS=2, TRUSTED_PROXIES=1) as backend:
        held = [await _from(backend, session_id, f"10.9.9.{i}, 203.0.113.7") for i in range(2)]
        for client in held:
            await client.restore()
        # What stands before the proxy's own entry, the client made up.
        third = await _from(backend, session_id, "10.9.9.9, 203.0.113.7")
        assert await third.close_code() == 1013
        other = await _from(backend, session_id, "203.0.113.7, 203.0.113.8")
        await other.restore()
        await held.pop().close()
        again = await _from(backend, session_id, "203.0.113.7")
        await again.restore()
        for client in [*held, other, again]:
            await client.close()


@pytest.mark.spec("A7")
async def test_one_that_only_pings_is_shown_out(valkey: ValkeyServer, session_id: str) -> None:
    with limited(valkey, HELLO_SECONDS=1) as backend:
        restored = await backend.join(session_id)
        pinging, silent = await backend.connect(session_id), await backend.connect(session_id)
        await pinging.send(type="ping")
        assert await pinging.close_code() == 4408
        assert await silent.close_code() == 4408
        await restored.send(type="ping")
        await restored.read("pong")
        await restored.close()


@pytest.mark.spec("A7")
async def test_a_half_open_socket_is_found_and_dropped(
    valkey: ValkeyServer, session_id: str
) -> None:
    with limited(valkey, HEARTBEAT_SECONDS=0.5) as backend:
        key = "AAAAAAAAAAAAAAAAAAAAAA=="
        with socket.create_connection(("127.0.0.1", backend.port)) as mute:
            mute.sendall(
                f"GET /ws/{session_id} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
            )
            backend.wait_until(lambda: backend.status()["connections"] == 1)
            # It reads nothing and answers no ping.
            backend.wait_until(lambda: backend.status()["connections"] == 0, seconds=5)


@pytest.mark.spec("A7")
def test_wrong_limits_are_all_named(tmp_path: Path, valkey: ValkeyServer) -> None:
    from isshoni.backend.errors import SettingsFault
    from isshoni.backend.settings.settings import read_settings

    environment = {
        "ISSHONI_ADMIN_TOKEN": "a",
        "ISSHONI_TICKET_SECRET": "s" * 32,
        "ISSHONI_TOKEN_KEYS": "k1:short,k2:" + "x" * 32 + ",k2:" + "y" * 32,
        "ISSHONI_ORIGINS": "https://a.example/",
        "ISSHONI_CHAT_BURST": "3",
        "ISSHONI_MAX_SESSIONS": "many",
        "ISSHONI_AUTH": "maybe",
    }
    with pytest.raises(SettingsFault) as fault:
        read_settings(environment)
    assert len(fault.value.faults) == 6
    assert "short" not in str(fault.value)
    assert "xxxx" not in str(fault.value)


async def test_awareness_that_is_too_large_is_told_and_does_not_end_the_connection(
    backend: BackendProcess, session_id: str
) -> None:
    client = await backend.join(session_id, can=["canvas"])
    awareness = pycrdt.Awareness(pycrdt.Doc())
    awareness.set_local_state({"selected": ["x" * 20] * 4000})
    update = awareness.encode_awareness_update([awareness.client_id])
    for _ in range(60):
        await client.connection.send(make_awareness(update))
        assert (await client.read("error"))["code"] == "too_large"
    await client.chat(1)
    assert (await client.read("ack"))["n"] == 1
    await client.close()
