"""A store in memory with all ports."""

import asyncio
from collections.abc import Callable

from isshoni.backend.store.ports import Listener
from tests.support.fake_store.bus import FakeBus
from tests.support.fake_store.canvas import FakeCanvas
from tests.support.fake_store.chat import FakeChat
from tests.support.fake_store.files import FakeFiles
from tests.support.fake_store.notes import FakeNotes
from tests.support.fake_store.server import FakeServer
from tests.support.fake_store.sessions import FakeSessions


class FakeSessionStore(FakeChat, FakeCanvas, FakeFiles, FakeNotes, FakeBus, FakeSessions):
    """All ports in memory; passes the same contracts as `RedisStore`.

    `fail()` makes every method raise until `recover()`, which then calls back as after a
    reconnect; a publication in between is never delivered.
    """

    def __init__(
        self,
        server: FakeServer | None = None,
        *,
        expiry_seconds: float = 0.0,
        max_sessions: int = 0,
    ) -> None:
        self.expiry_seconds = expiry_seconds
        self.max_sessions = max_sessions
        self.server = server or FakeServer()
        self.server.stores.append(self)
        self.failing = False
        self._listeners: dict[str, Listener] = {}
        self._opened: dict[str, str] = {}
        self._last_append: asyncio.Task[None] | None = None
        self._callbacks: list[Callable[[], None]] = []

    def fail(self) -> None:
        """Lose the connection."""
        self.failing = True

    def recover(self) -> None:
        """Have the connection back, and say so."""
        self.failing = False
        self._tell_to_reread()

    async def probe(self) -> float:
        await self._pause_to_write()
        return 0.0

    async def read_info(self) -> list[dict[str, str] | None]:
        await self._pause()
        return [{"redis_version": "7.4.0", "maxmemory_policy": "noeviction", "aof_enabled": "1"}]

    async def aclose(self) -> None:
        if self in self.server.stores:
            self.server.stores.remove(self)
