"""The relay: its doors, its clients, and the moves of clients between two programs."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from isshoni.backend.metrics.recent import RecentValues
from isshoni.relay import unread
from isshoni.relay.client_socket import ClientSocket
from isshoni.relay.core.handshake import SERVER_ERROR, Answer, Handshake, find_polled
from isshoni.relay.core.moves import Failure, Timing
from isshoni.relay.core.polled import Polled
from isshoni.relay.core.profiles.actioncable import ActionCable
from isshoni.relay.core.profiles.auto import Auto
from isshoni.relay.core.profiles.carried import Carried
from isshoni.relay.core.profiles.guess import guess_by_handshake
from isshoni.relay.core.profiles.hocuspocus import Hocuspocus
from isshoni.relay.core.profiles.names import (
    ACTION_CABLE,
    AUTO,
    HOCUSPOCUS,
    PHOENIX,
    SOCKET_IO,
    YJS,
)
from isshoni.relay.core.profiles.phoenix import Phoenix
from isshoni.relay.core.profiles.plain import Plain
from isshoni.relay.core.profiles.presence import KEEP_SECONDS, Moves
from isshoni.relay.core.profiles.profile import Profile
from isshoni.relay.core.profiles.socketio import SocketIo
from isshoni.relay.core.profiles.yjs import Yjs
from isshoni.relay.core.session_key import find_parameter, find_session_key, read_key_rule
from isshoni.relay.doors import Address, Doors
from isshoni.relay.passable_client import PassableClient
from isshoni.relay.reach import find_fault
from isshoni.relay.transports import make_key
from isshoni.session.close_codes import CloseCode
from isshoni.session.server.share import is_in_share

TICK_SECONDS = 0.005
TICK_ALL_SECONDS = 0.25
SWITCHING_PROTOCOLS = 101
_NOT_TAKEN = (Failure.UNREACHABLE, Failure.NEW_ENDED)


@dataclass
class RelayCounters:
    """Counts of one colour since the relay started."""

    opened: int = 0
    """Handshakes that its program answered with 101: of new clients, and of moved ones."""
    broken: int = 0
    """Handshakes that its program answered with an error of its own (5xx), or not at all, and
    moves to it whose connection it ended before they were over."""
    new: int = 0
    """Handshakes of new clients that its program answered, with whatever."""
    new_refused: int = 0
    """Those of them that it refused (3xx, 4xx)."""
    unread: int = 0
    """Clients that were closed because the clients of their address left too much unread."""
    refused: Counter[int] = field(default_factory=Counter)
    """Clients that came by its door and got no WebSocket, by the status of the answer."""
    taken: int = 0
    """Clients that moved to it."""
    not_taken: int = 0
    """Moves to it that failed because it did not answer, or ended the connection."""
    moved: int = 0
    """Clients that moved away from it."""
    failures: Counter[Failure] = field(default_factory=Counter)
    """Moves away from it that left the client where it was, by reason."""

    def record(self) -> dict[str, int | dict[str, int]]:
        """Return every count, for another process."""
        return {
            "opened": self.opened,
            "broken": self.broken,
            "refused": {str(status): count for status, count in self.refused.items()},
            "taken": self.taken,
            "not_taken": self.not_taken,
            "moved": self.moved,
            "failures": {failure.value: count for failure, count in self.failures.items()},
        }

    def restore(self, record: Mapping[str, Any]) -> None:
        """Add the counts of the process before."""
        self.opened += record.get("opened", 0)
        self.broken += record.get("broken", 0)
        self.refused.update({int(k): n for k, n in record.get("refused", {}).items()})
        self.taken += record.get("taken", 0)
        self.not_taken += record.get("not_taken", 0)
        self.moved += record.get("moved", 0)
        known = {failure.value: failure for failure in Failure}
        counts = record.get("failures", {}).items()
        self.failures.update({known[k]: n for k, n in counts if k in known})

    def by_name(self) -> dict[str, int]:
        """Return every count by a name, as the admin status has them."""
        refused = {f"refused_{status}": count for status, count in self.refused.items()}
        failed = {f"move_{failure.value}": count for failure, count in self.failures.items()}
        return {
            "connections_opened": self.opened + self.broken,
            "connections_failed": self.broken,
            "closed_unread": self.unread,
            "handshakes": self.new,
            "handshakes_refused": self.new_refused,
            "moves_tried": self.taken + self.not_taken,
            "moves_not_taken": self.not_taken,
            "migrated": self.moved,
            **refused,
            **failed,
        }


class Relay:
    """Keeps the clients of both colours, whichever program is behind each of them."""

    def __init__(self, doors: Doors, timing: Timing) -> None:
        self.timing = timing
        self.doors = doors
        self.counters: dict[str, RelayCounters] = {}
        self.dial_seconds = RecentValues()
        """From dialing a program to the switch of a client that moved."""
        self.moves_paused = False
        """True while another process takes over: no move is begun."""
        self._sockets: dict[PassableClient, None] = {}
        """All of them; those without a WebSocket yet too."""
        self._clients: dict[ClientSocket, None] = {}
        self._sessions: dict[Hashable, set[ClientSocket]] = {}
        self._all_ticked_at = 0.0
        self._ticking: set[ClientSocket] = set()
        self._unread: set[ClientSocket] = set()
        """Clients that do not read what they are sent."""
        self._moves = Moves()
        self._polled = Polled()
        self._shares: dict[str, tuple[str, float]] = {}

    # For the sockets of clients

    def accept(self, door: str) -> PassableClient:
        """Return the protocol of a new client that came by a colour's door."""
        client = PassableClient(self, door)
        self._sockets[client] = None
        return client

    def choose(self, client: ClientSocket) -> list[tuple[str, Address]]:
        """Return the programs to try for a new client, with their colours, the best one first.

        They are those of its door; if its session moves, those of the other colour come before.
        """
        assert client.handshake is not None
        if client.handshake.body is not None:
            sid = find_polled(client.handshake.target) or ""
            self._polled.add(sid, client.handshake.body, time.monotonic())
        client.key = self._find_key(client.handshake, client.door)
        to, share_pct = self._shares.get(client.door, (client.door, 0.0))
        colours = [client.door]
        # The program behind the other door does not know a transport that began as polling.
        stays = to == client.door or _continues_polling(client.handshake)
        if not stays and is_in_share(str(client.key), share_pct):
            colours.insert(0, to)
        return [(c, address) for c in colours for address in self.list_addresses(c, client)]

    def list_addresses(self, colour: str, client: ClientSocket) -> list[Address]:
        """Return the addresses of a colour's processes, the one for this client first.

        That is where its session is; for the first client of a session it is chosen by a hash.
        """
        ranked = self.doors.of(colour).rank(str(client.key))
        if len(ranked) > 1:
            there = self._find_session(client.key, colour)
            ranked.sort(key=lambda address: address not in there)
        return ranked

    def _find_session(self, key: Hashable, colour: str) -> list[Address | None]:
        """Return where a client of a session is that came by this colour, if there is one."""
        for member in self._sessions.get(key, ()):
            if member.link is not None and member.link.colour == colour:
                return [member.address]
        return []

    def find_rest(self, client: ClientSocket) -> Address | None:
        """Return another process of the client's colour that has a client of its session."""
        colour = None if client.link is None else client.link.colour
        for member in self._sessions.get(client.key, ()):
            is_elsewhere = member.address != client.address
            if is_elsewhere and member.link is not None and member.link.colour == colour:
                return member.address
        return None

    def make_profile(self, handshake: Handshake, colour: str, answer: Answer) -> Profile:
        """Return the profile of a new client's protocol, once its program has answered."""
        bare = self._make_bare(handshake, colour)
        return Carried(bare, handshake, reports=answer.reports_state)

    def _make_bare(self, handshake: Handshake, colour: str) -> Profile:
        door = self.doors.of(colour)
        name: str | None = door.profile
        if name == AUTO:
            name = guess_by_handshake(handshake)
            if name is None:
                return Auto(Plain(door.preamble_messages), self._make_guessed)
        if name == SOCKET_IO:
            return SocketIo.for_request(handshake.target, self._polled)
        if name == PHOENIX:
            return Phoenix.for_request(handshake.target)
        if name == ACTION_CABLE:
            return ActionCable()
        if name in (YJS, HOCUSPOCUS):
            return self._make_guessed(name)
        return Plain(door.preamble_messages)

    def _make_guessed(self, name: str) -> Profile:
        """Return a profile that finds out the protocol from the first messages."""
        return Hocuspocus(self._moves) if name == HOCUSPOCUS else Yjs(self._moves)

    def _find_key(self, handshake: Handshake, door: str) -> str:
        rule = read_key_rule(self.doors.of(door).session_key)
        return find_session_key(rule, handshake, "alone:" + os.urandom(8).hex())

    def count(self, colour: str) -> RelayCounters:
        """Return the counters of a colour."""
        return self.counters.setdefault(colour, RelayCounters())

    def entered(self, client: ClientSocket) -> None:
        """Record a client whose WebSocket is open."""
        self._add(client)

    def _add(self, client: ClientSocket) -> None:
        self._clients[client] = None
        self._sessions.setdefault(client.key, set()).add(client)

    def left(self, client: ClientSocket) -> None:
        """Record the end of a client."""
        if isinstance(client, PassableClient):
            self._sockets.pop(client, None)
        self._clients.pop(client, None)
        self._ticking.discard(client)
        self._unread.discard(client)
        members = self._sessions.get(client.key)
        if members is not None:
            members.discard(client)
            if not members:
                del self._sessions[client.key]

    def answered(self, colour: str, status: int | None, *, is_move: bool = False) -> None:
        """Count the answer of a program to a handshake; None: there was none."""
        counters = self.count(colour)
        if status is not None and not is_move:
            counters.new += 1
            counters.new_refused += SWITCHING_PROTOCOLS < status < SERVER_ERROR
        if status == SWITCHING_PROTOCOLS:
            counters.opened += 1
        elif status is None or status >= SERVER_ERROR:
            counters.broken += 1

    def reads(self, client: ClientSocket, reads: bool) -> None:
        """Record that a client reads what it is sent, or does not."""
        (self._unread.discard if reads else self._unread.add)(client)

    def refused(self, door: str, status: int) -> None:
        """Count a client that got no WebSocket."""
        self.count(door).refused[status] += 1

    # For a relay that continues with the sockets of this one

    def sockets(self) -> list[PassableClient]:
        """List all clients, also those without a WebSocket."""
        return list(self._sockets)

    def resume(self, client: PassableClient) -> None:
        """Serve a client whose sockets were parked."""
        self._sockets[client] = None
        if client.link is not None:
            self._add(client)
            self._ticking.add(client)

    @property
    def last_move_at(self) -> float:
        """Return when a client last moved, in seconds of the monotonic clock."""
        return self._moves.last_at

    @last_move_at.setter
    def last_move_at(self, at: float) -> None:
        self._moves.last_at = max(at, self._moves.last_at)

    def shared(self) -> dict[str, object]:
        """Return what the links of all clients share, by name."""
        return {
            "timing": self.timing,
            "moves": self._moves,
            "polled": self._polled,
            "make_key": make_key,
            "make_profile": self._make_guessed,
        }

    # Moves

    def clients_of(self, colour: str) -> list[ClientSocket]:
        """List the clients whose program has this colour, oldest first."""
        return [c for c in self._clients if c.link is not None and c.link.colour == colour]

    def clients_at(self, address: Address) -> list[ClientSocket]:
        """List the clients of one process, oldest first."""
        return [client for client in self._clients if client.address == address]

    def set_share(self, colour: str, to: str, share_pct: float) -> None:
        """Send this share of the sessions that come by a colour's door to another program."""
        self._shares[colour] = (to, share_pct)

    def clear_share(self, colour: str) -> None:
        """Send new clients of a door to its own program again."""
        self._shares.pop(colour, None)

    def arm(self, client: ClientSocket) -> None:
        """Begin to remember what a client is sent, as it will move soon: repeats are dropped."""
        if client.link is not None:
            client.link.arm(time.monotonic())
            self._ticking.add(client)

    async def move(self, client: ClientSocket, to: str) -> Failure | None:
        """Move a client; return why not if it stays where it is."""
        self._ticking.add(client)
        began = time.monotonic()
        counters = self.count(client.link.colour if client.link else client.door)
        failure = await client.move(to, self.list_addresses(to, client))
        if failure is None:
            counters.moved += 1
            self.count(to).taken += 1
            self.dial_seconds.add(time.monotonic() - began)
        else:
            counters.failures[failure] += 1
            self.count(to).not_taken += failure in _NOT_TAKEN
            if failure is Failure.NEW_ENDED:
                self.count(to).broken += 1
        return failure

    async def move_within(
        self, client: ClientSocket, addresses: Sequence[Address]
    ) -> Failure | None:
        """Move a client to another process of its colour; return why not if it stays.

        The counters of the colour compare it with the other one: this move is not in them.
        """
        if client.link is None:
            return Failure.CLOSING
        self._ticking.add(client)
        began = time.monotonic()
        failure = await client.move(client.link.colour, addresses)
        if failure is None:
            self.dial_seconds.add(time.monotonic() - began)
        return failure

    async def find_fault(self, colour: str) -> str | None:
        """Return why none of a colour's programs can be reached; None if one can be."""
        faults = [await find_fault(address) for address in self.doors.of(colour).programs]
        if None in faults:
            return None
        return "; ".join(filter(None, faults)) or "no program is behind this door"

    async def tick(self) -> None:
        """Do what is due for the clients that move, every few milliseconds; runs for ever."""
        while True:
            now = time.monotonic()
            for client in list(self._ticking):
                self._tick_moving(client, now)
            if now - self._all_ticked_at >= TICK_ALL_SECONDS:
                self._tick_all(now)
            await asyncio.sleep(TICK_SECONDS)

    def _tick_moving(self, client: ClientSocket, now: float) -> None:
        client.tick(now)
        if client.link is None or not client.link.needs_time:
            self._ticking.discard(client)
        elif client.link.is_moving:
            self._moves.last_at = now

    def _tick_all(self, now: float) -> None:
        """Let every client's profile do what is due, for some time after a move of any."""
        self._all_ticked_at = now
        self._bound_unread()
        if now - self._moves.last_at < 2 * KEEP_SECONDS:
            for client in list(self._clients):
                client.tick(now)

    def _bound_unread(self) -> None:
        """Close the clients for which the most waits, of each address that has too much waiting."""
        for client in unread.find_offenders(self._unread, unread.MOST_BYTES):
            self.count(client.link.colour if client.link else client.door).unread += 1
            client.evict(CloseCode.TRY_AGAIN_LATER, "too much waits unread for this address")


def _continues_polling(handshake: Handshake) -> bool:
    """True for a Socket.IO transport that began as long polling at the program of its door."""
    target = handshake.target
    return find_parameter(target, "EIO") is not None and find_parameter(target, "sid") is not None
