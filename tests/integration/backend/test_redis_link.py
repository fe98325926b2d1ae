"""The link to Redis, against a real Valkey that is killed, frozen and cut off."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import cast

import pytest
import uvloop

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.store.redis.link import (
    ErrorReply,
    LinkSettings,
    RedisMeter,
    Script,
)
from tests.support.redis_links import QUICK, fail_of, open_link, open_nodes, open_subscription
from tests.support.valkey import ValkeyServer, find_free_port
from tests.support.waiting import wait_until


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    with ValkeyServer(tmp_path / "data") as server:
        yield server


async def test_answers_belong_to_their_questions(valkey: ValkeyServer) -> None:
    async with open_link(valkey.url, LinkSettings()) as link:
        answers = await asyncio.gather(*(link.execute(b"ECHO", i) for i in range(2000)))
    assert answers == [b"%d" % i for i in range(2000)]


async def test_a_cancelled_caller_does_not_shift_the_answers(valkey: ValkeyServer) -> None:
    async with open_link(valkey.url) as link:
        first, second = link.execute(b"ECHO", b"1"), link.execute(b"ECHO", b"2")
        first.cancel()
        assert await second == b"2"


async def test_an_answer_larger_than_any_buffer_arrives_whole(valkey: ValkeyServer) -> None:
    async with open_link(valkey.url) as link:
        value = bytes(range(256)) * 16_384
        await link.execute(b"SET", b"large", value)
        assert await link.execute(b"GET", b"large") == value


async def test_an_error_reply_fails_its_own_command_only(valkey: ValkeyServer) -> None:
    async with open_link(valkey.url) as link:
        wrong, right = link.execute(b"NOSUCH"), link.execute(b"ECHO", b"1")
        fault = await fail_of(wrong)
        assert isinstance(fault, ErrorReply)
        assert fault.code == "ERR"
        assert await right == b"1"


async def test_a_script_that_redis_forgot_is_sent_again(valkey: ValkeyServer) -> None:
    script = Script(b"return redis.call('INCR', KEYS[1])")
    async with open_nodes(valkey.url) as nodes:
        assert await nodes.run(0, script, [b"counter"]) == 1
        await nodes.execute(0, b"SCRIPT", b"FLUSH")
        assert await nodes.run(0, script, [b"counter"]) == 2
        assert await nodes.run(0, script, [b"counter"]) == 3


async def test_a_loaded_script_travels_as_its_digest(valkey: ValkeyServer) -> None:
    script = Script(b"return 1")
    async with open_nodes(valkey.url) as nodes:
        for _ in range(3):
            await nodes.run(0, script, [])
        stats = (await nodes.execute(0, b"INFO", b"commandstats")).decode()
    assert "cmdstat_eval:calls=1," in stats
    assert "cmdstat_evalsha:calls=3," in stats


@pytest.mark.spec("A4")
async def test_a_killed_redis_fails_what_is_pending_and_is_found_again(
    valkey: ValkeyServer,
) -> None:
    async with open_link(valkey.url) as link:
        valkey.freeze()
        pending = [link.execute(b"ECHO", i) for i in range(100)]
        valkey.kill()
        faults = [await fail_of(answer) for answer in pending]
        assert all("may or may not have been done" in str(fault) for fault in faults)
        await wait_until(lambda: not link.connected, "the loss is noticed")
        with pytest.raises(StoreUnavailable, match=r"^Redis at [^ ]+ is not connected: [^R]"):
            await link.execute(b"PING")
        valkey.start()
        await wait_until(lambda: link.connected, "the link is back")
        assert await link.execute(b"ECHO", b"again") == b"again"


async def test_a_frozen_redis_fails_commands_within_the_timeout(valkey: ValkeyServer) -> None:
    async with open_link(valkey.url) as link:
        valkey.freeze()
        began = monotonic()
        fault = await fail_of(link.execute(b"ECHO", b"1"))
        assert "no answer within 0.4 s" in str(fault)
        assert monotonic() - began < 2.0
        valkey.thaw()
        await wait_until(lambda: link.connected, "the link is back")
        assert await link.execute(b"ECHO", b"2") == b"2"


async def test_an_idle_link_notices_a_frozen_redis(valkey: ValkeyServer) -> None:
    async with open_link(valkey.url) as link:
        valkey.freeze()
        await wait_until(lambda: not link.connected, "the loss is noticed")
        valkey.thaw()
        await wait_until(lambda: link.connected, "the link is back")


async def test_a_redis_slower_than_usual_is_waited_for(valkey: ValkeyServer) -> None:
    meter = RedisMeter()
    patient = LinkSettings(command_timeout_seconds=5.0)
    async with open_link(valkey.url, patient, meter) as link:
        valkey.freeze()
        answer = link.execute(b"ECHO", b"1")
        asyncio.get_running_loop().call_later(0.3, valkey.thaw)
        assert await answer == b"1"
    assert meter.errors == 0
    assert meter.reconnects == 0
    assert meter.latency.worst >= 0.3


async def test_a_connection_that_redis_kills_comes_back(valkey: ValkeyServer) -> None:
    meter = RedisMeter()
    async with open_link(valkey.url, QUICK, meter) as link:
        for _ in range(3):
            meter.reconnects = 0
            valkey.command("CLIENT", "KILL", "TYPE", "normal")
            await wait_until(lambda: meter.reconnects > 0, "the loss is noticed")
            await wait_until(lambda: link.connected, "the link is back")
            assert await link.execute(b"ECHO", b"1") == b"1"
    assert meter.errors > 0


async def test_too_many_waiting_commands_are_refused_at_once(valkey: ValkeyServer) -> None:
    async with open_link(valkey.url, LinkSettings(max_pending=10)) as link:
        answers = [link.execute(b"ECHO", i) for i in range(10)]
        with pytest.raises(StoreUnavailable, match="too slow: 10 commands are waiting"):
            link.execute(b"ECHO", b"one too many")
        assert len(await asyncio.gather(*answers)) == 10
        assert await link.execute(b"ECHO", b"room again") == b"room again"


async def test_too_many_unsent_bytes_are_refused_at_once(valkey: ValkeyServer) -> None:
    async with open_link(valkey.url, LinkSettings(max_unsent_bytes=1 << 20)) as link:
        valkey.freeze()
        accepted = []
        with pytest.raises(StoreUnavailable, match="too slow"):
            for _ in range(100):
                accepted.append(link.execute(b"ECHO", b"x" * 500_000))
                await asyncio.sleep(0)  # let it go to the kernel, until that is full
        valkey.thaw()
        assert all(await asyncio.gather(*accepted))


async def test_closing_fails_what_is_pending(valkey: ValkeyServer) -> None:
    async with open_link(valkey.url) as link:
        valkey.freeze()
        answer = link.execute(b"ECHO", b"1")
        await link.aclose()
        assert "the link was closed" in str(await fail_of(answer))
        with pytest.raises(StoreUnavailable, match="the link was closed"):
            link.execute(b"ECHO", b"2")


async def test_a_redis_that_is_away_at_the_start_is_found_when_it_comes(tmp_path: Path) -> None:
    server = ValkeyServer(tmp_path / "data")
    async with open_link(server.url) as link:
        assert not link.connected
        with pytest.raises(StoreUnavailable, match="not connected"):
            link.execute(b"PING")
        with server:
            await wait_until(lambda: link.connected, "the link is there")
            assert await link.execute(b"ECHO", b"1") == b"1"


async def test_a_wrong_password_is_named_and_not_shown(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path / "data", password="right") as server:
        async with open_link(server.url.replace("right", "s3cret-wr0ng")) as link:
            with pytest.raises(StoreUnavailable, match="WRONGPASS") as caught:
                link.execute(b"PING")
            assert "s3cret-wr0ng" not in str(caught.value)
        async with open_link(server.url) as link:
            assert await link.execute(b"ECHO", b"1") == b"1"


async def test_the_database_of_the_url_is_selected(valkey: ValkeyServer) -> None:
    async with open_link(valkey.url.replace("/0", "/3")) as link:
        await link.execute(b"SET", b"key", b"value")
    assert valkey.command("DBSIZE") == b":0\r\n"


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$-7\r\n", b"+PONG\r\n+PONG\r\n", b"", b"*1\r\n*1\r\n"],
)
async def test_a_server_that_speaks_otherwise_is_unavailable(answer: bytes) -> None:
    class Otherwise(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast(asyncio.Transport, transport)

        def data_received(self, data: bytes) -> None:
            self.transport.write(answer)
            self.transport.close()

    server = await asyncio.get_running_loop().create_server(Otherwise, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, open_link(f"redis://127.0.0.1:{port}") as link:
        await wait_until(lambda: not link.connected, "it is let go of")
        with pytest.raises(StoreUnavailable):
            await link.execute(b"PING")


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 70 + ".invalid", "127.0.0.1"])
async def test_every_way_not_to_connect_is_store_unavailable(host: str) -> None:
    async with open_link(f"redis://{host}:{find_free_port()}") as link:
        with pytest.raises(StoreUnavailable, match="not connected"):
            link.execute(b"PING")


def test_it_is_the_same_on_uvloop(valkey: ValkeyServer) -> None:
    async def live_through_a_kill() -> None:
        told: list[bool] = []
        heard: list[bytes] = []
        async with (
            open_link(valkey.url) as link,
            open_subscription(valkey.url, lambda: told.append(True)) as subscription,
        ):
            await subscription.subscribe(b"ch", heard.append)
            valkey.freeze()
            pending = link.execute(b"ECHO", b"1")
            valkey.kill()
            await fail_of(pending)
            valkey.start()
            await wait_until(lambda: told and link.connected, "both are back")
            await link.execute(b"SPUBLISH", b"ch", b"x" * 200_000)
            await wait_until(lambda: heard, "the publication")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(live_through_a_kill())


async def test_tls_is_spoken_and_the_certificate_checked(
    valkey: ValkeyServer, tmp_path: Path
) -> None:
    certificate, key = make_certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    async with tls_in_front_of(valkey.port, context) as port:
        trusting = f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate}"
        async with open_link(trusting) as link:
            assert await link.execute(b"ECHO", b"1") == b"1"
        async with open_link(f"rediss://127.0.0.1:{port}") as link:
            with pytest.raises(StoreUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
                link.execute(b"PING")


def make_certificate(directory: Path) -> tuple[Path, Path]:
    certificate, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


@asynccontextmanager
async def tls_in_front_of(target_port: int, context: ssl.SSLContext) -> AsyncIterator[int]:
    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    forwarders: list[asyncio.Task[None]] = []

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        forwarders.append(cast("asyncio.Task[None]", asyncio.current_task()))
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", target_port)
        await asyncio.gather(
            copy(reader, inner_writer), copy(inner_reader, writer), return_exceptions=True
        )

    server = await asyncio.start_server(forward, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*forwarders, return_exceptions=True)
