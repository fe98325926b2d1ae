"""What every port of a fake store needs: the shared server, and the faults of Redis."""

import asyncio

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.store.ports import Head, Listener
from tests.support.fake_store.server import FakeServer


class FakePort:
    """One process's view of a `FakeServer`."""

    server: FakeServer
    failing: bool
    _listeners: dict[str, Listener]
    _opened: dict[str, str]

    async def _open(self, session_id: str, epoch: str | None = None) -> Head:
        await self._pause()
        if session_id not in self.server.sessions and session_id not in self.server.deleted:
            self._check_writable()
        session = self.server.open(session_id, epoch)
        if session_id in self._listeners:
            self._opened[session_id] = session.epoch
        return session.head

    def _check_writable(self, *, when_full: bool = False) -> None:
        if self.server.full and not when_full:
            raise StoreUnavailable("Redis refused: OOM")
        if self.server.short_of_replicas:
            raise StoreUnavailable("Redis refused: NOREPLICAS")

    async def _pause(self) -> None:
        # Always let others run, as a real store does; then the state is read in one go.
        await asyncio.sleep(0)
        if self.failing:
            raise StoreUnavailable("the fake store was told to fail")

    async def _pause_to_write(self, *, when_full: bool = False) -> None:
        await self._pause()
        self._check_writable(when_full=when_full)
