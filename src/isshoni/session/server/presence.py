"""The present clients of a session, from their own announcements (y-protocols awareness).

Redis stores none of it. Each process remembers the announcements that it received, so
that a new client need not wait until all others announce themselves again.
"""

from collections.abc import Container, Hashable, Iterable
from dataclasses import dataclass

from isshoni.session.server.yjs_update import Announcement, encode_awareness_states

FORGET_SECONDS = 30.0
"""The timeout of y-protocols; a present client announces itself every 15 seconds."""
MAX_REMEMBERED = 2_000
LEFT_STATE = b"null"
"""The state that a client announces when it leaves."""


@dataclass
class _Known:
    announcement: Announcement
    seen_at: float
    owner: Hashable | None = None
    """The connection of this process that the client uses; None if it is on another process."""


class Presence:
    """The newest announced state of each client."""

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}

    def add_from_connection(
        self,
        owner: Hashable,
        own_clients: Container[int],
        announcements: Iterable[Announcement],
        now: float,
    ) -> bytes | None:
        """Remember announcements received on a connection; return those to publish, or None.

        `own_clients` are the Yjs clients that use this connection: all they announce of
        themselves is published, because a new client of another process may need it. Of other
        clients only newer states are: Yjs clients pass on what they receive, so one movement of
        a pointer would be published once for each client.
        """
        to_publish = [
            one for one in announcements if one.client in own_clients or self._is_newer(one)
        ]
        for one in to_publish:
            self._remember(one, now, owner if one.client in own_clients else None)
        return encode_awareness_states(to_publish) if to_publish else None

    def add_published(self, announcements: Iterable[Announcement], now: float) -> None:
        """Remember announcements that this or another process has published."""
        for one in announcements:
            known = self._known.get(one.client)
            if self._is_newer(one):
                self._remember(one, now, None)
            elif known is not None and one.clock == known.announcement.clock:
                known.seen_at = now

    def encode_present(self, now: float) -> bytes | None:
        """Return an awareness update with the states of all present clients; None without any."""
        for client, known in list(self._known.items()):
            if now - known.seen_at > FORGET_SECONDS:
                del self._known[client]
        present = [
            k.announcement for k in self._known.values() if k.announcement.state != LEFT_STATE
        ]
        return encode_awareness_states(present) if present else None

    def list_owned(self, owner: Hashable) -> list[int]:
        """Return the Yjs clients that use a connection."""
        return [client for client, known in self._known.items() if known.owner is owner]

    def remove_silent(self, owner: Hashable, since: float) -> bytes | None:
        """Mark a closed connection's clients as left if they announced nothing after `since`.

        Return the awareness update that says so; None if there is no such client.
        """
        gone: list[Announcement] = []
        for client in self.list_owned(owner):
            known = self._known[client]
            if known.seen_at <= since and known.announcement.state != LEFT_STATE:
                gone.append(Announcement(client, known.announcement.clock, LEFT_STATE))
            known.owner = None
        return encode_awareness_states(gone) if gone else None

    def _is_newer(self, announcement: Announcement) -> bool:
        known = self._known.get(announcement.client)
        if known is None or announcement.clock > known.announcement.clock:
            return True
        left = announcement.state == LEFT_STATE != known.announcement.state
        return left and announcement.clock == known.announcement.clock

    def _remember(self, announcement: Announcement, now: float, owner: Hashable | None) -> None:
        self._known.pop(
            announcement.client, None
        )  # so that it becomes the last, and the first is the oldest
        self._known[announcement.client] = _Known(announcement, now, owner)
        while len(self._known) > MAX_REMEMBERED:
            del self._known[next(iter(self._known))]
