"""Which clients are in a session, as they announce it themselves (y-protocols awareness).

Nothing of it is kept in Redis: each process remembers the announcements that it received, so
that a new client need not wait until all others announce themselves again.
"""

from collections.abc import Container, Hashable, Iterable
from dataclasses import dataclass

from isshoni.session.server.yjs_update import Announcement, encode_awareness_states

FORGET_SECONDS = 30.0
"""As y-protocols does; a client that is there announces itself every 15 seconds."""
MAX_REMEMBERED = 2_000
NOBODY = b"null"


@dataclass
class _Known:
    announcement: Announcement
    heard_at: float
    owner: Hashable | None = None
    """The connection of this process that speaks for it; None if it is another process's."""


class Presence:
    """The newest announced state of each client."""

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}

    def take(
        self, owner: Hashable, own: Container[int], said: Iterable[Announcement], now: float
    ) -> bytes | None:
        """Remember announcements of a connection that speaks for `own`; return those to publish.

        Yjs clients pass on what they receive of others. Published each time, one movement of a
        pointer would become as many as there are clients. What a client repeats of itself is
        published: a new client elsewhere may need it.
        """
        told = [one for one in said if one.client in own or self._is_news(one)]
        for one in told:
            self._remember(one, now, owner if one.client in own else None)
        return encode_awareness_states(told) if told else None

    def hear(self, said: Iterable[Announcement], now: float) -> None:
        """Remember announcements that were published, here or by another process."""
        for one in said:
            known = self._known.get(one.client)
            if self._is_news(one):
                self._remember(one, now, None)
            elif known is not None and one.clock == known.announcement.clock:
                known.heard_at = now

    def everybody(self, now: float) -> bytes | None:
        """Return one message with the states of all present clients; None if there is none."""
        for client, known in list(self._known.items()):
            if now - known.heard_at > FORGET_SECONDS:
                del self._known[client]
        here = [k.announcement for k in self._known.values() if k.announcement.state != NOBODY]
        return encode_awareness_states(here) if here else None

    def owned_by(self, owner: Hashable) -> list[int]:
        """Return the Yjs clients that a connection speaks for."""
        return [client for client, known in self._known.items() if known.owner is owner]

    def remove_silent(self, owner: Hashable, since: float) -> bytes | None:
        """Remove a closed connection's clients, unless they were heard from since.

        Return the message that they left; None if none was removed.
        """
        gone: list[Announcement] = []
        for client in self.owned_by(owner):
            known = self._known[client]
            if known.heard_at <= since and known.announcement.state != NOBODY:
                gone.append(Announcement(client, known.announcement.clock, NOBODY))
            known.owner = None
        return encode_awareness_states(gone) if gone else None

    def _is_news(self, said: Announcement) -> bool:
        known = self._known.get(said.client)
        if known is None or said.clock > known.announcement.clock:
            return True
        left = said.state == NOBODY != known.announcement.state
        return left and said.clock == known.announcement.clock

    def _remember(self, said: Announcement, now: float, owner: Hashable | None) -> None:
        self._known.pop(said.client, None)  # to be the youngest
        self._known[said.client] = _Known(said, now, owner)
        while len(self._known) > MAX_REMEMBERED:
            del self._known[next(iter(self._known))]
