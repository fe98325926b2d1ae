"""Socket.IO 5 over Engine.IO 4, on the WebSocket transport.

The client's connect packets are replayed to a new program and its answers dropped: the client
keeps the id that it knows. An event with attachments is one unit. While an acknowledgement is
awaited, in either direction, the client is not moved.
"""

import json
import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from isshoni.relay.core.frames import TEXT, make_frame
from isshoni.relay.core.messages import Message

_PACKET = re.compile(rb"4([0-6])(?:(\d+)-)?(?:(/[^,]*),)?(\d+)?(.*)", re.DOTALL)
CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK = b"0123456"
OPEN, PING, PONG = b"0", b"2", b"3"

ANSWER_SECONDS = 3.0
"""An acknowledgement that takes longer is not waited for: a program may never send it."""
GREETING_SECONDS = 0.1
"""Events that come so soon after the first connect are taken for greetings."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A Socket.IO packet, without its attachments."""

    kind: int
    attachments: int
    namespace: bytes
    id: bytes | None
    data: bytes


@dataclass
class _Leg:
    """What one program has sent."""

    connected: set[bytes] = field(default_factory=set)
    unit: list[Message] = field(default_factory=list)
    """An event and those of its attachments that have come."""
    missing: int = 0
    """How many attachments are still to come."""
    greeted: set[str] = field(default_factory=set)
    """Greetings of a new program that were dropped."""
    asked: dict[tuple[bytes, bytes], float] = field(default_factory=dict)
    """Its events that ask for an acknowledgement, and when they came."""


class SocketIo:
    """One Socket.IO client on the WebSocket transport."""

    __slots__ = (
        "_awaited",
        "_connects",
        "_current",
        "_first_at",
        "_greetings",
        "_later",
        "_left_attachments",
        "_legs",
        "_newest",
        "_now",
        "_pongs",
        "can_move",
    )

    reads_client = reads_program = True
    must_announce = False

    def __init__(self, *, upgraded: bool = False) -> None:
        self.can_move = not upgraded
        """False for a transport that began as long polling: its begin was not seen."""
        self._connects: dict[bytes, Message] = {}
        self._legs = {0: _Leg()}
        self._current = self._newest = 0
        """The numbers of the leg that serves the client, and of the last one that was opened."""
        self._awaited: dict[tuple[bytes, bytes], float] = {}
        """The client's events that ask for an acknowledgement, and when they were sent."""
        self._left_attachments = 0
        self._pongs = 0
        """Pongs of the client that answer the relay's own pings."""
        self._first_at: float | None = None
        self._greetings: set[str] = set()
        self._later: set[str] = set()
        self._now = 0.0

    @property
    def is_busy(self) -> bool:
        """True while an acknowledgement is awaited."""
        since = self._now - ANSWER_SECONDS
        awaited = [*self._awaited.values(), *self._legs[self._current].asked.values()]
        return any(at > since for at in awaited)

    @property
    def in_unit(self) -> bool:
        """True while attachments of the client's event have to come."""
        return self._left_attachments > 0

    @property
    def has_joined(self) -> bool:
        """True once the new program has accepted every namespace."""
        return self._connects.keys() <= self._legs[self._newest].connected

    # From the client

    def from_client(self, message: Message, now: float) -> Iterable[Message]:
        """Record connects and what awaits an answer; drop what the relay has asked for."""
        self._now = now
        if message.opcode != TEXT:
            self._left_attachments = max(0, self._left_attachments - 1)
            return (message,)
        if message.payload == PONG and self._pongs:
            self._pongs -= 1
            return ()
        packet = parse_packet(message.payload)
        if packet is None:
            return (message,)
        self._left_attachments = packet.attachments
        name = (packet.namespace, packet.id or b"")
        if packet.kind == CONNECT:
            self._connects[packet.namespace] = message
        elif packet.kind == DISCONNECT:
            self._connects.pop(packet.namespace, None)
        elif packet.kind in (EVENT, BINARY_EVENT) and packet.id is not None:
            self._awaited[name] = now
        elif packet.kind in (ACK, BINARY_ACK) and not self._is_asked(name):
            return ()  # the program that asked has ended
        return (message,)

    def _is_asked(self, name: tuple[bytes, bytes]) -> bool:
        return self._legs[self._current].asked.pop(name, None) is not None

    # From a program

    def from_program(self, number: int, message: Message, now: float) -> Iterable[Message]:
        """Return whole units; drop a new program's answers to what was replayed."""
        self._now = now
        leg = self._legs.setdefault(number, _Leg())
        if leg.missing:
            leg.unit.append(message)
            leg.missing -= 1
            if leg.missing:
                return ()
            unit, leg.unit = leg.unit, []
            return self._pass(number, leg, _join(unit), now, parse_packet(unit[0].payload))
        packet = parse_packet(message.payload) if message.opcode == TEXT else None
        if packet is not None and packet.attachments:
            leg.unit, leg.missing = [message], packet.attachments
            return ()
        return self._pass(number, leg, message, now, packet)

    def _pass(
        self, number: int, leg: _Leg, message: Message, now: float, packet: Packet | None
    ) -> Iterable[Message]:
        is_new = number > self._current
        if message.opcode == TEXT and message.payload[:1] == OPEN:
            return () if is_new else (message,)
        if packet is None:
            return (message,)
        if packet.kind == CONNECT:
            leg.connected.add(packet.namespace)
            if self._first_at is None:
                self._first_at = now
            return () if is_new else (message,)
        if packet.kind in (ACK, BINARY_ACK):
            self._awaited.pop((packet.namespace, packet.id or b""), None)
        elif packet.kind in (EVENT, BINARY_EVENT):
            if self._is_greeting(leg, packet, now, is_new=is_new):
                return ()
            if packet.id is not None:
                leg.asked[packet.namespace, packet.id] = now
        return (message,)

    def _is_greeting(self, leg: _Leg, packet: Packet, now: float, *, is_new: bool) -> bool:
        """True for an event that a new program sends to each client that connects."""
        name = _event_name(packet)
        if name is None:
            return False
        if not is_new:
            early = self._first_at is not None and now - self._first_at < GREETING_SECONDS
            (self._greetings if early else self._later).add(name)
            return False
        if name in self._greetings - self._later - leg.greeted:
            leg.greeted.add(name)
            return True
        return False

    # During a move

    def preamble(self, number: int) -> Sequence[Message]:
        """Return the connect packets of all namespaces."""
        self._newest = number
        self._legs = {self._current: self._legs[self._current], number: _Leg()}
        return list(self._connects.values())

    def moved(self) -> Sequence[Message]:
        """Return a ping for the client, whose timer would run out between two programs."""
        self._current = self._newest
        self._pongs += 1
        return (Message(TEXT, make_frame(TEXT, PING), PING),)

    def switched(self) -> Sequence[Message]:
        """Return nothing: the new program knows the client."""
        return ()

    def overdue(self, now: float) -> Sequence[Message]:
        """Return nothing: no message is kept back."""
        self._now = now
        return ()

    def key(self, message: Message) -> Hashable | None:
        """Return the content of an event; None for all else, which is never a repeat."""
        is_event = message.payload[:2] in (b"42", b"45")
        return message.payload if message.opcode == TEXT and is_event else None


def parse_packet(payload: bytes) -> Packet | None:
    """Return the Socket.IO packet of an Engine.IO message; None for anything else."""
    found = _PACKET.fullmatch(payload)
    if found is None:
        return None
    kind, attachments, namespace, number, data = found.groups()
    return Packet(kind[0], int(attachments or 0), namespace or b"/", number, data)


def _event_name(packet: Packet) -> str | None:
    try:
        arguments = json.loads(packet.data)
    except ValueError:
        return None
    is_event = isinstance(arguments, list) and arguments and isinstance(arguments[0], str)
    return arguments[0] if is_event else None


def _join(unit: list[Message]) -> Message:
    data = b"".join(one.data for one in unit)
    return Message(unit[0].opcode, data, b"\0".join(one.payload for one in unit))
