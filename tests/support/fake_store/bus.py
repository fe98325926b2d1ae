"""The publications of a fake store."""

import asyncio
from collections.abc import Callable

from isshoni.backend.store.ports import Listener, Published
from tests.support.fake_store.port import FakePort


class FakeBus(FakePort):
    """A `SessionBus` and its `ReconnectEvents` in memory."""

    _callbacks: list[Callable[[], None]]

    async def subscribe(self, session_id: str, listener: Listener) -> None:
        await self._pause()
        self._listeners[session_id] = listener

    async def unsubscribe(self, session_id: str) -> None:
        self._listeners.pop(session_id, None)
        self._opened.pop(session_id, None)
        await asyncio.sleep(0)

    async def publish_awareness(self, session_id: str, payload: bytes) -> None:
        await self._pause()
        self.server.publish(session_id, Published("awareness", 0, payload))

    def on_reconnect(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def listens_to(self, session_id: str) -> bool:
        return session_id in self._listeners

    def hear(self, session_id: str, publication: Published) -> None:
        """Pass a publication on, later, as a socket would."""
        listener = self._listeners.get(session_id)
        if listener is not None and not self.failing:
            asyncio.get_running_loop().call_soon(self._deliver, session_id, listener, publication)

    def hear_birth(self, session_id: str, epoch: str) -> None:
        """Schedule a re-read if the session, once opened here, has another epoch now."""
        if self._opened.get(session_id, epoch) != epoch and not self.failing:
            asyncio.get_running_loop().call_soon(self._tell_to_reread)

    def _deliver(self, session_id: str, listener: Listener, publication: Published) -> None:
        if self._listeners.get(session_id) is listener:
            listener(publication)

    def _tell_to_reread(self) -> None:
        for callback in self._callbacks:
            callback()
