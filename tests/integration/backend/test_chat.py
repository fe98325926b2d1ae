"""Chat over real sockets, a real process and a real Redis."""

import json
from typing import Any

import httpx
import pytest

from tests.support.backend import BackendProcess


@pytest.mark.spec("A2")
async def test_the_bare_request_restores_a_session(
    backend: BackendProcess, session_id: str
) -> None:
    client = await backend.connect(session_id)
    restored = await client.restore()
    assert restored["chat_history"] == []
    assert restored["canvas_state"] == {}
    assert restored["mode"] == "full"
    assert restored["server"] == {"version": "v-test", "colour": "blue", "heartbeat_seconds": 20.0}
    await client.send(type="ping")
    assert await client.next_frame() == {"type": "pong"}
    await client.send(type="ping", t=[1, "x"])
    assert await client.next_frame() == {"type": "pong", "t": [1, "x"]}
    await client.close()


@pytest.mark.spec("A4")
async def test_messages_are_acknowledged_in_order_and_heard_by_everybody(
    backend: BackendProcess, session_id: str
) -> None:
    ann = await backend.join(session_id, client_id="ann")
    bob = await backend.join(session_id, client_id="bob")
    for n in range(1, 201):
        await ann.chat(n, f"message {n}")
    acks = [(await ann.read("ack"))["n"] for _ in range(200)]
    assert acks == list(range(1, 201))
    heard = [await bob.read("chat") for _ in range(200)]
    assert [event["seq"] for event in heard] == list(range(1, 201))
    assert [event["text"] for event in heard] == [f"message {n}" for n in range(1, 201)]
    await ann.close()
    await bob.close()


@pytest.mark.spec("A4")
async def test_a_resend_on_another_connection_is_acknowledged_and_not_doubled(
    backend: BackendProcess, session_id: str
) -> None:
    old = await backend.join(session_id, client_id="ann", generation=0)
    await old.chat(1)
    await old.chat(2)
    assert (await old.read("ack"))["n"] == 1
    assert (await old.read("ack"))["n"] == 2
    new = await backend.connect(session_id)
    restored = await new.restore(client_id="ann", generation=1)
    assert restored["last_n"] == 2
    await new.chat(2)
    await new.chat(3)
    assert await new.read("ack") == {"type": "ack", "n": 2, "seq": None}
    assert await new.read("ack") == {"type": "ack", "n": 3, "seq": 3}
    await old.close()
    await new.close()


@pytest.mark.spec("A4")
async def test_a_message_that_skips_one_is_refused(
    backend: BackendProcess, session_id: str
) -> None:
    client = await backend.join(session_id, client_id="ann")
    await client.chat(1)
    await client.chat(3)
    await client.chat(2)
    assert (await client.read("ack", "error"))["n"] == 1
    gap = await client.read("ack", "error")
    assert (gap["code"], gap["n"], gap["expected"]) == ("gap", 3, 2)
    assert (await client.read("ack", "error"))["n"] == 2
    await client.close()


@pytest.mark.spec("A2")
async def test_a_returning_client_gets_exactly_what_it_missed(
    backend: BackendProcess, session_id: str
) -> None:
    ann = await backend.join(session_id, client_id="ann")
    position = (await ann.restore(client_id="ann"))["position"]
    for n in range(1, 301):
        await ann.chat(n)
    for _ in range(300):
        await ann.read("ack")
    bob = await backend.connect(session_id)
    for missing in (0, 1, 99, 299, 300):
        came = await bob.restore(position={"epoch": position["epoch"], "seq": missing})
        assert came["mode"] == "replay"
        assert [event["seq"] for event in came["chat_history"]] == list(range(missing + 1, 301))
    foreign = await bob.restore(position={"epoch": "other", "seq": 3})
    ahead = await bob.restore(position={"epoch": position["epoch"], "seq": 301})
    for came in (foreign, ahead):
        assert came["mode"] == "full"
        assert [event["seq"] for event in came["chat_history"]] == list(range(101, 301))
    await ann.close()
    await bob.close()


@pytest.mark.spec("A3")
async def test_two_processes_on_one_redis_share_a_session(
    backend: BackendProcess, green: BackendProcess, session_id: str
) -> None:
    ann = await backend.join(session_id, client_id="ann")
    bob = await green.join(session_id, client_id="bob")
    for n in range(1, 51):
        await ann.chat(n, "from blue")
        await bob.chat(n, "from green")
    seen = []
    for client in (ann, bob):
        events: list[dict[str, Any]] = []
        while len(events) < 100:
            events.append(await client.read("chat"))
        assert [event["seq"] for event in events] == list(range(1, 101))
        seen.append(json.dumps(events))
    assert seen[0] == seen[1]
    await ann.close()
    await bob.close()


@pytest.mark.spec("A7")
def test_admin_routes_are_not_on_the_public_port(backend: BackendProcess) -> None:
    for path in ("/admin/status", "/metrics", "/admin/proof", "/docs", "/openapi.json"):
        assert backend.get(path) == 404


@pytest.mark.spec("A7")
def test_the_admin_api_wants_its_token(backend: BackendProcess) -> None:
    url = f"http://127.0.0.1:{backend.admin_port}/admin/status"
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert backend.admin("GET", "/admin/status").status_code == 200
