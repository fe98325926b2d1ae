"""Who is in a session, as its people say it themselves (the awareness of y-protocols).

Nothing of it is kept in Redis: each process remembers what it heard, so that a newcomer
need not wait until everybody speaks again.
"""

from collections.abc import Container, Hashable, Iterable
from dataclasses import dataclass

from isshoni.session.server.yjs_update import Announcement, encode_awareness_states

FORGET_SECONDS = 30.0
"""As y-protocols does; whoever is there speaks every 15 seconds."""
MAX_REMEMBERED = 2_000
NOBODY = b"null"


@dataclass
class _Known:
    announcement: Announcement
    heard_at: float
    owner: Hashable | None = None
    """The connection of this process that speaks for them; None: one of another process."""


class Presence:
    """The newest state that was heard of everybody."""

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}

    def take(
        self, owner: Hashable, own: Container[int], said: Iterable[Announcement], now: float
    ) -> bytes | None:
        """Take what a connection says that speaks for `own`; gives what is to be told of it.

        Yjs clients pass on what they hear of others. Told again and again, each movement of
        a pointer would become as many as there are people. What somebody says once more of
        themselves is told: a newcomer elsewhere may need it.
        """
        told = [one for one in said if one.client in own or self._is_news(one)]
        for one in told:
            self._remember(one, now, owner if one.client in own else None)
        return encode_awareness_states(told) if told else None

    def hear(self, said: Iterable[Announcement], now: float) -> None:
        """Remember what was published, here or elsewhere."""
        for one in said:
            known = self._known.get(one.client)
            if self._is_news(one):
                self._remember(one, now, None)
            elif known is not None and one.clock == known.announcement.clock:
                known.heard_at = now

    def everybody(self, now: float) -> bytes | None:
        """Give the states of all who were heard lately, as one message; None for nobody."""
        for client, known in list(self._known.items()):
            if now - known.heard_at > FORGET_SECONDS:
                del self._known[client]
        here = [k.announcement for k in self._known.values() if k.announcement.state != NOBODY]
        return encode_awareness_states(here) if here else None

    def owned_by(self, owner: Hashable) -> list[int]:
        """List whom a connection speaks for."""
        return [client for client, known in self._known.items() if known.owner is owner]

    def remove_silent(self, owner: Hashable, since: float) -> bytes | None:
        """Take out whom a connection that is gone spoke for, unless they were heard since.

        Gives the message that says that they left.
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
