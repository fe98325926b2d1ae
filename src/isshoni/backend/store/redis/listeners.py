"""Who hears which session, and who must re-read because something was not heard."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from isshoni.backend.store.ports import Listener, Published
from isshoni.backend.store.publication import HINT, parse_publication
from isshoni.backend.store.redis.link import RedisMeter

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class Subscribed:
    """A session that this process hears."""

    listener: Listener
    epoch: str | None = None
    """The one that this process was last told; None: it did not ask yet."""
    unread: bool = False
    """True while a delayed `unread` publication for the listener is scheduled."""


class SessionListeners:
    """The sessions that this process hears, and the epochs under which it opened them."""

    def __init__(self, meter: RedisMeter, reread_delay_seconds: float) -> None:
        self._meter = meter
        self._reread_delay_seconds = reread_delay_seconds
        self._subscribed: dict[str, Subscribed] = {}
        self._reborn: set[str] = set()
        self._callbacks: list[Callable[[], None]] = []

    def add(self, session_id: str, listener: Listener) -> Subscribed:
        """Take the place of whoever heard the session before."""
        subscribed = self._subscribed[session_id] = Subscribed(listener)
        return subscribed

    def discard(self, session_id: str, subscribed: Subscribed | None = None) -> None:
        """Forget who hears a session, unless it is another by now."""
        if subscribed is None or self._subscribed.get(session_id) is subscribed:
            self._subscribed.pop(session_id, None)
            self._reborn.discard(session_id)

    def note_epoch(self, session_id: str, epoch: str) -> None:
        """Note under which epoch a session was opened."""
        if subscribed := self._subscribed.get(session_id):
            subscribed.epoch = epoch
            self._reborn.discard(session_id)

    def epoch(self, session_id: str) -> str | None:
        """Give the epoch under which a session that is heard was opened."""
        subscribed = self._subscribed.get(session_id)
        return subscribed.epoch if subscribed else None

    def hear(self, session_id: str, subscribed: Subscribed, message: bytes) -> None:
        """Pass a publication on."""
        publication = parse_publication(message)
        if isinstance(publication, Published):
            subscribed.listener(publication)
        elif publication is None:
            self._meter.poison += 1
            logger.warning("dropped a publication that makes no sense: %.40r", message)
        elif (
            subscribed.epoch is not None
            and publication != subscribed.epoch
            and not publication.startswith(HINT)
        ):
            self._note_rebirth(session_id)

    def hear_hint(self, session_id: str, subscribed: Subscribed, message: bytes) -> None:
        """Make the listener re-read soon: something was published, for whichever database."""
        publication = parse_publication(message)
        if isinstance(publication, str):
            unread = not publication.startswith(HINT)
        else:
            unread = publication is not None and publication.kind != "awareness"
        if unread and not subscribed.unread:
            subscribed.unread = True
            loop = asyncio.get_running_loop()
            loop.call_later(
                self._reread_delay_seconds, self._tell_of_unread, session_id, subscribed
            )

    def _tell_of_unread(self, session_id: str, subscribed: Subscribed) -> None:
        subscribed.unread = False
        if self._subscribed.get(session_id) is subscribed:
            subscribed.listener(Published("unread", 0, b""))

    def tell_of_deletion(self, session_id: str) -> None:
        """Tell whoever hears a session, here, that it was found deleted."""
        if subscribed := self._subscribed.get(session_id):
            subscribed.listener(Published("deleted", 0, b""))

    def on_reread(self, callback: Callable[[], None]) -> None:
        """Call back when there may be holes in what was heard."""
        self._callbacks.append(callback)

    def tell_to_reread(self) -> None:
        """Call everybody back."""
        for callback in self._callbacks:
            try:
                callback()
            except Exception:
                logger.exception("a callback failed after a reconnect")

    def _note_rebirth(self, session_id: str) -> None:
        if not self._reborn:
            loop = asyncio.get_running_loop()
            loop.call_later(self._reread_delay_seconds, self._tell_of_rebirths)
        self._reborn.add(session_id)

    def _tell_of_rebirths(self) -> None:
        # Whoever opened the session meanwhile knows its new epoch already.
        if self._reborn:
            self._reborn.clear()
            self.tell_to_reread()
