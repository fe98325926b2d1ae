"""The sessions that this process is subscribed to, and which must re-read after a miss."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from isshoni.backend.store.ports import Listener, Published
from isshoni.backend.store.publication import HINT, parse_publication
from isshoni.backend.store.redis.link import RedisMeter

logger = logging.getLogger(__name__)

_COMPARED_BYTES = 16 * 1024
"""Publications of this size and more are not kept for the comparison with hints."""


@dataclass(eq=False)
class SubscribedSession:
    """A session that this process is subscribed to."""

    listener: Listener
    complete: bool = False
    """True once both channels are subscribed: the logs are read after that."""
    last: bytes = b""
    """The last publication on the keyed channel; empty if that was a large one."""
    epoch: str | None = None
    """The epoch of the log that this process last opened; None before that."""
    unread: bool = False
    """True while a delayed `unread` publication for the listener is scheduled."""


class SessionListeners:
    """Delivers publications to the listener of each session."""

    def __init__(self, meter: RedisMeter, reread_delay_seconds: float) -> None:
        self._meter = meter
        self._reread_delay_seconds = reread_delay_seconds
        self._subscribed: dict[str, SubscribedSession] = {}
        self._reborn: set[str] = set()
        self._callbacks: list[Callable[[], None]] = []

    def add(self, session_id: str, listener: Listener) -> SubscribedSession:
        """Register the listener of a session, in place of an earlier one."""
        subscribed = self._subscribed[session_id] = SubscribedSession(listener)
        return subscribed

    def discard(self, session_id: str, subscribed: SubscribedSession | None = None) -> None:
        """Remove the listener of a session; with `subscribed`, only if it is still that one."""
        if subscribed is None or self._subscribed.get(session_id) is subscribed:
            self._subscribed.pop(session_id, None)
            self._reborn.discard(session_id)

    def set_epoch(self, session_id: str, epoch: str) -> None:
        """Set the epoch under which a session was opened."""
        if subscribed := self._subscribed.get(session_id):
            subscribed.epoch = epoch
            self._reborn.discard(session_id)

    def epoch(self, session_id: str) -> str | None:
        """Return the epoch under which a subscribed session was opened; None if there is none."""
        subscribed = self._subscribed.get(session_id)
        return subscribed.epoch if subscribed else None

    def deliver(self, session_id: str, subscribed: SubscribedSession, message: bytes) -> None:
        """Pass a publication to the listener of its session."""
        subscribed.last = message if len(message) < _COMPARED_BYTES else b""
        publication = parse_publication(message)
        if isinstance(publication, Published):
            subscribed.listener(publication)
        elif publication is None:
            self._meter.poison += 1
            logger.warning("dropped a publication that cannot be parsed: %.40r", message)
        elif (
            subscribed.epoch is not None
            and publication != subscribed.epoch
            and not publication.startswith(HINT)
        ):
            self._reread_soon(session_id)

    def deliver_hint(self, session_id: str, subscribed: SubscribedSession, message: bytes) -> None:
        """Make the listener re-read soon: anything may have been published on the open channel.

        Not if the same was received on the keyed channel just before: the scripts publish on
        both while an earlier version is subscribed.
        """
        if not subscribed.complete or message == subscribed.last:
            return
        publication = parse_publication(message)
        if isinstance(publication, str):
            unread = not publication.startswith(HINT)
        else:
            unread = publication is not None and publication.kind != "awareness"
        if unread and not subscribed.unread:
            subscribed.unread = True
            loop = asyncio.get_running_loop()
            loop.call_later(
                self._reread_delay_seconds, self._deliver_unread, session_id, subscribed
            )

    def _deliver_unread(self, session_id: str, subscribed: SubscribedSession) -> None:
        subscribed.unread = False
        if self._subscribed.get(session_id) is subscribed:
            subscribed.listener(Published("unread", 0, b""))

    def deliver_deletion(self, session_id: str) -> None:
        """Report to the listener of a session in this process that it is deleted."""
        if subscribed := self._subscribed.get(session_id):
            subscribed.listener(Published("deleted", 0, b""))

    def on_reread(self, callback: Callable[[], None]) -> None:
        """Register a callback for when publications may have been missed."""
        self._callbacks.append(callback)

    def reread_all(self) -> None:
        """Call all callbacks."""
        for callback in self._callbacks:
            try:
                callback()
            except Exception:
                logger.exception("a callback failed after a reconnect")

    def _reread_soon(self, session_id: str) -> None:
        if not self._reborn:
            loop = asyncio.get_running_loop()
            loop.call_later(self._reread_delay_seconds, self._reread_reborn)
        self._reborn.add(session_id)

    def _reread_reborn(self) -> None:
        # A session that was opened since then has its new epoch already.
        if self._reborn:
            self._reborn.clear()
            self.reread_all()
