"""What the contract tests of session stores share."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from isshoni.backend.store.ports import ChatStore, SessionStore
from tests.support.fake_store import FakeServer
from tests.support.redis_cluster import RedisCluster
from tests.support.valkey import ValkeyServer

AnyServer = FakeServer | ValkeyServer | RedisCluster
Refusal = Literal["full", "short_of_replicas"]
_SETTINGS = {"full": "maxmemory", "short_of_replicas": "min-replicas-to-write"}

Open = Callable[[], Awaitable[SessionStore]]
"""Opens one more store on the same data."""


async def store_payloads(store: ChatStore, session_id: str) -> list[bytes]:
    entries = await store.read_chat(session_id, after=0, limit=1000)
    return [entry.payload for entry in entries]


@contextmanager
def refusing_writes(server: AnyServer, why: Refusal) -> Iterator[None]:
    """Let Redis refuse every write, for want of memory or of replicas."""
    try:
        _refuse_writes(server, why, "1")
        yield
    finally:
        _refuse_writes(server, why, "0")


@contextmanager
def without_channels(server: ValkeyServer | RedisCluster) -> Iterator[None]:
    """Remove the right to publish from the Redis user of the store, until the context ends."""
    try:
        _change_user(server, "resetchannels")
        yield
    finally:
        _change_user(server, "allchannels")


def _change_user(server: ValkeyServer | RedisCluster, rule: str) -> None:
    for one in server.primaries if isinstance(server, RedisCluster) else [server]:
        assert one.command("ACL", "SETUSER", "default", rule).startswith(b"+OK")


def _refuse_writes(server: AnyServer, why: Refusal, value: str) -> None:
    if isinstance(server, FakeServer):
        setattr(server, why, value == "1")
        return
    for one in server.primaries if isinstance(server, RedisCluster) else [server]:
        assert one.command("CONFIG", "SET", _SETTINGS[why], value).startswith(b"+OK")
