"""Files, exports and the deletion of a session, over HTTP and against real processes."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pycrdt
import pytest
import redis.asyncio

from isshoni.backend.http.images import find_image_type
from isshoni.backend.security.auth import Role, TokenKey, Tokens
from isshoni.client import ConnectionState, SessionClient
from tests.integration.client.recorder import Recorder
from tests.support.backend import BackendProcess
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
SVG = b'<?xml version="1.0"?>\n<!-- drawn --><svg xmlns="http://www.w3.org/2000/svg"/>'
KEY = TokenKey("k1", "1" * 32)
IMAGE, AN_SVG = {"content-type": "image/png"}, {"content-type": "image/svg+xml"}


def token(session: str, role: Role) -> str:
    return Tokens((KEY,)).mint(session, subject="ann", role=role, expires_at=time.time() + 60)


@pytest.fixture(scope="module")
def guarded(
    valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BackendProcess]:
    """A process that asks for tokens, and is stingy."""
    log = tmp_path_factory.mktemp("guarded") / "log"
    limits: dict[str, Any] = {
        "ISSHONI_TOKEN_KEYS": f"{KEY.key_id}:{KEY.secret}",
        "ISSHONI_TRUSTED_PROXIES": "1",
        "ISSHONI_HTTP_PER_SECOND": "1",
        "ISSHONI_HTTP_BURST": "5",
        "ISSHONI_MAX_FILE_BYTES": "2000",
        "ISSHONI_MAX_FILES_BYTES": "2500",
    }
    with BackendProcess(valkey.url, log, **limits) as process:
        process.wait_until_ready()
        yield process


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=20) as client:
        yield client


async def open_session(backend: BackendProcess, session_id: str) -> None:
    client = await backend.join(session_id)
    await client.close()


async def find_keys(valkey: ValkeyServer, session_id: str) -> dict[str, int]:
    """Find every key that a session's id is in, and for how many ms it is still there."""
    async with redis.asyncio.Redis.from_url(valkey.url) as client:
        keys = [key async for key in client.scan_iter(f"*{session_id}*")]
        return {key.decode(): await client.pttl(key) for key in keys}


@pytest.mark.spec("A3", "A7")
async def test_a_pasted_image_is_there_for_everybody_on_both_colours(
    backend: BackendProcess, green: BackendProcess, http: httpx.AsyncClient, session_id: str
) -> None:
    await open_session(backend, session_id)
    path = f"/sessions/{session_id}/files/img_1"
    kept = await http.put(backend.url + path, content=PNG, headers=IMAGE)
    assert kept.status_code == 201
    given = await http.get(green.url + path)
    assert (given.status_code, given.content) == (200, PNG)
    assert given.headers["content-type"] == "image/png"
    assert "immutable" in given.headers["cache-control"]
    assert given.headers["x-content-type-options"] == "nosniff"
    assert given.headers.get_list("content-security-policy") == [
        "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    ]
    again = await http.put(green.url + path, content=PNG, headers=IMAGE)
    assert again.status_code == 200
    other = await http.put(green.url + path, content=PNG + b"\0", headers=IMAGE)
    assert (other.status_code, other.json()["code"]) == (409, "file_exists")
    assert (await http.get(green.url + path)).content == PNG


@pytest.mark.spec("A7")
async def test_what_is_no_image_or_too_much_is_refused(
    backend: BackendProcess, guarded: BackendProcess, http: httpx.AsyncClient, session_id: str
) -> None:
    await open_session(backend, session_id)
    files = f"{backend.url}/sessions/{session_id}/files/"
    nobody = f"{backend.url}/sessions/nobody-{session_id}"
    refused = {
        (415, "not_an_image"): [
            http.put(files + "a", content=b"<html><svg></html>", headers=AN_SVG),
            http.put(files + "a", content=SVG, headers=IMAGE),
            http.put(files + "a", content=b"", headers=IMAGE),
        ],
        (415, "type_not_allowed"): [
            http.put(files + "a", content=PNG, headers={"content-type": "Text/HTML; a=b"}),
            http.put(files + "a", content=b"alert(1)", headers={"content-type": "text/javascript"}),
        ],
        (413, "too_large"): [
            http.put(files + "a", content=PNG + bytes(4 << 20), headers=IMAGE),
            http.put(files + "a", content=_in_pieces(PNG, 5 << 20), headers=IMAGE),
        ],
        (400, "bad_file_id"): [
            http.put(files + "a.b", content=PNG, headers=IMAGE),
            http.get(files + "%2e%2e"),
            http.get(files + "x" * 65),
        ],
        (404, "no_such_file"): [http.get(files + "a")],
        (404, "no_such_session"): [
            http.put(f"{nobody}/files/a", content=PNG, headers=IMAGE),
            http.get(f"{backend.url}/sessions/{'x' * 65}/files/a"),
            http.get(f"{nobody}/export/chat.txt"),
            http.get(f"{nobody}/export/canvas.json"),
            http.delete(nobody),
        ],
    }  # fmt: skip
    for (status, code), requests in refused.items():
        for answer in await asyncio.gather(*requests):
            assert (answer.status_code, answer.json()["code"]) == (status, code), answer.url


async def _in_pieces(beginning: bytes, size_bytes: int) -> AsyncIterator[bytes]:
    yield beginning
    for _ in range(size_bytes >> 16):
        yield bytes(1 << 16)


@pytest.mark.spec("A7")
async def test_the_rules_of_the_websocket_hold_for_http_too(
    backend: BackendProcess, guarded: BackendProcess, http: httpx.AsyncClient, session_id: str
) -> None:
    await open_session(backend, session_id)
    session = f"{guarded.url}/sessions/{session_id}"
    writer, reader = (
        {"Authorization": f"Bearer {token(session_id, role)}"} for role in ("write", "read")
    )
    elsewhere = {"Authorization": f"Bearer {token('elsewhere', 'write')}"}
    for headers, status in ((None, 401), (elsewhere, 403), (reader, 403)):
        assert (await http.delete(session, headers=headers)).status_code == status
    foreign = {**writer, "Origin": "https://evil.example"}
    assert (await http.delete(session, headers=foreign)).json()["code"] == "foreign_origin"
    assert (await http.put(session + "/files/a", content=PNG, headers=reader | IMAGE)).json()[
        "code"
    ] == "read_only"
    for file_id, status in (("a", 201), ("b", 201), ("c", 413)):
        kept = await http.put(f"{session}/files/{file_id}", content=PNG, headers=writer | IMAGE)
        assert kept.status_code == status
    assert kept.json()["code"] == "files_full"
    assert (await http.get(session + "/files/a", headers=reader)).content == PNG
    assert (await http.get(session + "/export/chat.txt", headers=reader)).status_code == 200


@pytest.mark.spec("A7")
async def test_a_page_is_told_whether_it_may_connect_and_why_not(
    backend: BackendProcess, guarded: BackendProcess, http: httpx.AsyncClient, session_id: str
) -> None:
    asked = f"{backend.url}/sessions/{session_id}/admission"
    proxied = {"Host": "h.example:443", "Origin": "https://h.example"}
    assert (await http.post(asked, headers=proxied)).status_code == 204
    astray = {"Host": "10.0.0.7:9001", "Origin": "https://h.example"}
    refused = await http.post(asked, headers=astray)
    assert (refused.status_code, refused.json()["code"]) == (403, "foreign_origin")
    for value in ("https://h.example", "10.0.0.7:9001", "ISSHONI_ORIGINS"):
        assert value in refused.json()["message"]
        assert value in backend.log
    guarded_url = f"{guarded.url}/sessions/{session_id}/admission"
    bearer = {"Authorization": f"Bearer {token(session_id, 'read')}"}
    forwarded = bearer | astray | {"X-Forwarded-Host": "h.example"}
    assert (await http.post(guarded_url, headers=forwarded)).status_code == 204
    assert (await http.post(guarded_url, headers=astray)).status_code == 403
    assert (await http.post(guarded_url)).status_code == 401


@pytest.mark.spec("A7")
async def test_an_address_that_asks_too_fast_is_told_to_wait(
    guarded: BackendProcess, http: httpx.AsyncClient, session_id: str
) -> None:
    url = f"{guarded.url}/sessions/{session_id}/export/chat.txt"
    away = {"X-Forwarded-For": "203.0.113.7"}
    # So many at once that the bucket, which gets one back a second, cannot keep up.
    answers = await asyncio.gather(*(http.get(url, headers=away) for _ in range(60)))
    assert {answer.status_code for answer in answers} == {401, 429}
    told = [answer for answer in answers if answer.status_code == 429]
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in told)
    assert (await http.get(url, headers={"X-Forwarded-For": "203.0.113.8"})).status_code == 401


@pytest.mark.spec("A3")
async def test_a_session_can_be_taken_away_as_text_and_json(
    backend: BackendProcess, http: httpx.AsyncClient, session_id: str
) -> None:
    async with SessionClient(f"ws://127.0.0.1:{backend.port}", session_id, client_id="ann") as ann:
        assert await ann.wait_until_restored(10)
        for number in range(1, 701):
            ann.send_chat(f"line {number}\nand 한글" if number == 700 else f"line {number}")
        ann.draw("e1", {"type": "pen", "points": [1, 2]})
        assert await ann.wait_until_saved(10)
    text = await http.get(f"{backend.url}/sessions/{session_id}/export/chat.txt")
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    lines = text.text.splitlines()
    assert [line.partition("  ")[2] for line in lines[:700]] == [
        f"ann: line {number}" for number in range(1, 701)
    ]
    assert lines[700:] == ["    and 한글"]
    canvas = (await http.get(f"{backend.url}/sessions/{session_id}/export/canvas.json")).json()
    assert canvas["elements"] == {"e1": {"type": "pen", "points": [1, 2]}}


@pytest.mark.spec("A3")
async def test_the_exported_chat_has_the_names_that_users_chose_on_the_page(
    backend: BackendProcess, http: httpx.AsyncClient, session_id: str
) -> None:
    odd = {"bo": {"name": 7}, "cy": "name", "di": {"name": "Di\nforged: line"}, "": {"name": "x"}}
    url = f"ws://127.0.0.1:{backend.port}"
    async with SessionClient(url, session_id, client_id="ann") as ann:
        assert await ann.wait_until_restored(10)
        people = ann.doc.get("people", type=pycrdt.Map)
        for client_id, entry in ({"ann": {"name": "보람", "tint": 1}} | odd).items():
            people[client_id] = entry
        ann.send_chat("hello")
        assert await ann.wait_until_saved(10)
    for client_id in ("bo", "di"):
        async with SessionClient(url, session_id, client_id=client_id) as other:
            other.send_chat("hi")
            assert await other.wait_until_saved(10)
    text = (await http.get(f"{backend.url}/sessions/{session_id}/export/chat.txt")).text
    lines = [line.partition("  ")[2] for line in text.splitlines()]
    assert lines == ["보람: hello", "bo: hi", "Di forged: line: hi"]


@pytest.mark.spec("A3")
async def test_a_deleted_session_leaves_nothing_and_sends_everybody_away(
    valkey: ValkeyServer,
    backend: BackendProcess,
    green: BackendProcess,
    http: httpx.AsyncClient,
    session_id: str,
) -> None:
    one, two = await backend.join(session_id, can=["canvas"]), await green.join(session_id)
    yjs = await green.connect(session_id)
    await yjs.connection.send(b"\x00\x00\x01\x00")
    await one.chat(1, "a secret")
    await one.read("ack")
    path = f"/sessions/{session_id}/files/a"
    await http.put(backend.url + path, content=PNG, headers=IMAGE)
    assert len(await find_keys(valkey, session_id)) == 8
    assert (await http.delete(f"{green.url}/sessions/{session_id}")).status_code == 204
    for client in (one, two, yjs):
        assert await client.close_code() == 4410
    left = await find_keys(valkey, session_id)
    assert list(left) == [f"session:{{{session_id}}}:meta"]
    assert left.popitem()[1] > 0, "the mark of the deletion stays for ever"
    late = await backend.connect(session_id)
    await late.send(type="restore_session", session_id=session_id)
    assert await late.close_code() == 4410
    late = await backend.connect(session_id)
    await late.connection.send(b"\x00\x00\x01\x00")
    assert await late.close_code() == 4410
    for answer in (
        await http.get(backend.url + path),
        await http.put(backend.url + path, content=PNG, headers=IMAGE),
        await http.get(f"{backend.url}/sessions/{session_id}/export/chat.txt"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (410, "deleted")
    assert (await http.delete(f"{green.url}/sessions/{session_id}")).status_code == 204


@pytest.mark.spec("A3")
async def test_nobody_brings_a_session_back_that_is_deleted_under_full_load(
    valkey: ValkeyServer,
    backend: BackendProcess,
    green: BackendProcess,
    http: httpx.AsyncClient,
    session_id: str,
) -> None:
    """Writes in flight, compactions, and a process that did not hear of it."""
    recorders = [Recorder() for _ in range(6)]
    clients = [
        SessionClient(f"ws://127.0.0.1:{process.port}", session_id, listener=recorder)
        for recorder, process in zip(recorders, [backend, green] * 3, strict=True)
    ]
    for client in clients:
        client.start()

    async def write(client: SessionClient) -> None:
        assert await client.wait_until_restored(10)
        for number in range(2000):
            client.send_chat(f"{number}")
            client.draw(f"e{number % 5}", {"x": number})
            if number % 20 == 0:
                await asyncio.sleep(0.002)

    writing = [asyncio.create_task(write(client)) for client in clients]
    await wait_until(lambda: backend.status()["counters"]["edits"] > 600, "much is written")
    async with redis.asyncio.Redis.from_url(valkey.url) as link:
        # Nobody hears it: they learn of it from what they write, or when they re-read.
        await link.client_kill_filter(_type="pubsub")
    assert (await http.delete(f"{backend.url}/sessions/{session_id}")).status_code == 204
    await asyncio.gather(*writing)
    for client, recorder in zip(clients, recorders, strict=True):
        await recorder.until(lambda r=recorder: ConnectionState.REFUSED in r.states, 20)  # type: ignore[misc]
        assert recorder.changes[-1].close_code == 4410
        await client.aclose()
    assert list(await find_keys(valkey, session_id)) == [f"session:{{{session_id}}}:meta"]


def test_an_svg_is_known_by_its_root_alone() -> None:
    assert find_image_type(SVG) == "image/svg+xml"
    assert find_image_type(b"\xef\xbb\xbf<svg>") == "image/svg+xml"
    for other in (b"<svgx>", b"<!-- <svg> -->", b"<html><svg>", b"", b"GIF88a", b"RIFF1234WAVE"):
        assert find_image_type(other) is None
    hostile = b"<!--" * 1000 + b"<?xml" * 1000
    assert find_image_type(hostile) is None
