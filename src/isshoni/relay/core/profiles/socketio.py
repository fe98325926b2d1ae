"""Socket.IO 5 over Engine.IO 4, on the WebSocket transport.

The client's connect packets are replayed to a new program and its answers dropped: the client
keeps the id that it knows. An event with attachments is one unit. While an acknowledgement is
awaited, in either direction, the client is not moved. The ids of a new program's own requests
for an acknowledgement are replaced, as each program counts from 0.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from isshoni.relay.core.frames import TEXT, make_frame
from isshoni.relay.core.handshake import find_polled
from isshoni.relay.core.messages import Message
from isshoni.relay.core.polled import Polled
from isshoni.relay.core.profiles.awaited import Awaited
from isshoni.relay.core.profiles.greetings import Greetings
from isshoni.relay.core.profiles.socketio_packets import (
    ACKS,
    CONNECT,
    CONNECT_ERROR,
    DISCONNECT,
    EVENTS,
    Packet,
    parse_packet,
    without_recovery,
)

OPEN, END, PING, PONG, MESSAGE, UPGRADE, NOOP = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
FRESH_SECONDS = 1.0
"""How long after its answer to the connect a new program may still send a greeting."""
_MOST_QUESTIONS = 4096


@dataclass
class _Leg:
    """What one program has sent."""

    connected: dict[bytes, float] = field(default_factory=dict)
    """The namespaces that it has accepted, and when."""
    refused: bool = False
    packet: Packet | None = None
    """An event whose attachments have not all come."""
    unit: list[Message] = field(default_factory=list)
    """That event and those of its attachments that have come."""


class SocketIo:
    """One Socket.IO client on the WebSocket transport."""

    __slots__ = (
        "_accepted",
        "_awaited",
        "_connects",
        "_current",
        "_drops_attachments",
        "_for_programs",
        "_greetings",
        "_left_attachments",
        "_legs",
        "_newest",
        "_next_id",
        "_now",
        "_polled",
        "_pongs",
        "_questions",
        "can_move",
    )

    reads_client = reads_program = True
    must_announce = False

    def __init__(self, *, upgraded: bool = False, polled: tuple[Polled, str] | None = None) -> None:
        self.can_move = not upgraded
        """False for a transport that began as long polling, if its begin was not seen.

        Also for a parser other than Socket.IO's own, whose packets cannot be read.
        """
        self._polled = polled
        """Until the upgrade: where to find what the client sent by polling, and its session."""
        self._connects: dict[bytes, Message] = {}
        self._accepted: set[bytes] = set()
        """The namespaces that the client knows to be connected."""
        self._legs = {0: _Leg()}
        self._current = self._newest = 0
        """The numbers of the leg that serves the client, and of the last one that was opened."""
        self._awaited = Awaited()
        self._questions: dict[tuple[bytes, bytes], tuple[int, bytes]] = {}
        """The programs' requests for an acknowledgement: by the namespace and the id that the
        client knows, the number of the leg and the program's own id. Oldest first."""
        self._next_id = 0
        self._left_attachments = 0
        self._drops_attachments = False
        self._pongs = 0
        """Pongs of the client that answer the relay's own pings."""
        self._greetings: dict[bytes, Greetings] = {}
        self._for_programs: list[tuple[int, Message]] = []
        self._now = 0.0

    @classmethod
    def for_request(cls, target: str, polled: Polled | None = None) -> "SocketIo":
        """Return the profile of a client whose handshake has this path and query."""
        query = parse_qs(urlsplit(target).query)
        sid = find_polled(target)
        began = (polled, sid) if polled is not None and sid is not None else None
        return cls(upgraded="sid" in query or query.get("EIO") != ["4"], polled=began)

    @property
    def is_busy(self) -> bool:
        """True while an acknowledgement, or the answer to a connect, is awaited."""
        return self._awaited.is_any(self._now)

    @property
    def in_unit(self) -> bool:
        """True while attachments of the client's event have to come."""
        return self._left_attachments > 0

    @property
    def has_joined(self) -> bool:
        """True once the new program has accepted every namespace."""
        return self._connects.keys() <= self._legs[self._newest].connected.keys()

    @property
    def was_refused(self) -> bool:
        """True if the new program has refused a namespace, or ended the connection."""
        return self._legs[self._newest].refused

    # From the client

    def goes_past_hold(self, message: Message) -> bool:
        """True for pongs and acknowledgements: the program that is to end waits for them."""
        if message.opcode != TEXT:
            return self.in_unit  # of an acknowledgement: events are held whole
        packet = parse_packet(message.payload)
        return message.payload == PONG if packet is None else packet.kind in ACKS

    def from_client(self, message: Message, now: float) -> Iterable[Message]:
        """Record connects and what awaits an answer; drop pongs to the relay's own pings."""
        self._now = now
        if message.opcode != TEXT:
            return self._pass_attachment(message)
        if message.payload == PONG and self._pongs:
            self._pongs -= 1
            return ()
        packet = parse_packet(message.payload)
        if packet is None:
            if message.payload == UPGRADE:
                self._upgrade()
            self._check_parser(message)
            return (message,)
        self._left_attachments, self._drops_attachments = packet.attachments, False
        if packet.kind in ACKS:
            return self._answer(packet, message)
        if packet.kind in (CONNECT, DISCONNECT):
            self._connect(packet, message)
        elif packet.kind in EVENTS and packet.id is not None:
            name = (packet.namespace, packet.id)
            self._awaited.ask(("client", *name), ("client", packet.event), now)
        return (message,)

    def _pass_attachment(self, message: Message) -> Iterable[Message]:
        if not self._left_attachments:
            self.can_move = False  # another parser: all its packets are binary
            return (message,)
        self._left_attachments -= 1
        return () if self._drops_attachments else (message,)

    def _upgrade(self) -> None:
        """Let the client move from now on, if it is known what it has sent by polling."""
        if self._polled is None:
            return
        polled, sid = self._polled
        self._polled = None
        for namespace, payload in polled.take(sid).items():
            # The program's answer may have come by polling, or come yet.
            self._connects[namespace] = _make(payload)
            self._legs[0].connected[namespace] = self._now
            self.can_move = True

    def _check_parser(self, message: Message) -> None:
        if message.payload[:1] == MESSAGE:
            self.can_move = False

    def _connect(self, packet: Packet, message: Message) -> None:
        self._accepted.discard(packet.namespace)
        if packet.kind == CONNECT:
            self._connects[packet.namespace] = _make(without_recovery(packet))
            self._awaited.ask(("connect", packet.namespace), "connect", self._now)
        else:
            self._forget_namespace(packet.namespace)
        if self._newest > self._current:
            self._for_programs.append((self._newest, message))

    def _forget_namespace(self, namespace: bytes) -> None:
        self._connects.pop(namespace, None)
        self._awaited.answer(("connect", namespace))
        self._accepted.discard(namespace)

    def _answer(self, packet: Packet, message: Message) -> Iterable[Message]:
        """Return the client's acknowledgement with the program's own id."""
        name = (packet.namespace, packet.id or b"")
        leg, number = self._questions.pop(name, (self._current, name[1]))
        self._awaited.answer(("program", *name))
        if leg != self._current:
            self._drops_attachments = True
            return ()  # the program that asked has ended
        return (message,) if number == packet.id else (_make(packet.encode(number)),)

    # From a program

    def from_program(self, number: int, message: Message, now: float) -> Iterable[Message]:
        """Return whole events; drop a new program's answers to what was replayed."""
        self._now = now
        leg = self._legs.setdefault(number, _Leg())
        if leg.packet is not None and message.opcode != TEXT:
            leg.unit.append(message)
            if len(leg.unit) <= leg.packet.attachments:
                return ()
            packet, unit = leg.packet, leg.unit
            leg.packet, leg.unit = None, []
            return self._pass(number, leg, unit, packet)
        if message.opcode != TEXT:
            self.can_move = False  # another parser
            return (message,)
        packet_or_none = parse_packet(message.payload)
        if packet_or_none is None:
            return self._pass_engine(number, leg, message)
        if packet_or_none.attachments:
            leg.packet, leg.unit = packet_or_none, [message]
            return ()
        return self._pass(number, leg, [message], packet_or_none)

    def _pass_engine(self, number: int, leg: _Leg, message: Message) -> Iterable[Message]:
        """Pass on a packet of Engine.IO, if it concerns the client."""
        if number == self._current:
            self._check_parser(message)
            return (message,)
        kind = message.payload[:1]
        if number > self._current and kind == PING:
            self._for_programs.append((number, _make(PONG)))
        leg.refused = leg.refused or kind == END
        return (message,) if kind == MESSAGE else ()

    def _pass(
        self, number: int, leg: _Leg, unit: list[Message], packet: Packet
    ) -> Iterable[Message]:
        if packet.kind in EVENTS:
            return self._pass_event(number, leg, unit, packet)
        if packet.kind in ACKS:
            self._awaited.answer(("client", packet.namespace, packet.id or b""))
            return (_join(unit),)
        if packet.kind == CONNECT:
            leg.connected[packet.namespace] = self._now
        elif number > self._current:
            leg.refused = True
        return (_join(unit),) if number == self._current and self._is_news(packet) else ()

    def _is_news(self, packet: Packet) -> bool:
        """Record the answer to a connect, or an end; True if it is to be passed to the client."""
        namespace = packet.namespace
        if packet.kind in (DISCONNECT, CONNECT_ERROR):
            self._forget_namespace(namespace)
        elif namespace in self._accepted:
            return False
        elif packet.kind == CONNECT:
            self._awaited.answer(("connect", namespace))
            self._accepted.add(namespace)
            self._greetings.setdefault(namespace, Greetings()).accepted(self._now)
        return True

    def _pass_event(
        self, number: int, leg: _Leg, unit: list[Message], packet: Packet
    ) -> Iterable[Message]:
        event = packet.event
        greetings = self._greetings.setdefault(packet.namespace, Greetings())
        joined_at = leg.connected.get(packet.namespace, self._now)
        is_fresh = number > 0 and self._now - joined_at < FRESH_SECONDS
        if (is_fresh or number > self._current) and greetings.is_repeat(event):
            return ()
        if number == self._current:
            greetings.learn(event, self._now)
        if packet.id is None:
            return (_join(unit),)
        return (_join([self._ask(number, unit[0], packet), *unit[1:]]),)

    def _ask(self, number: int, message: Message, packet: Packet) -> Message:
        """Record a program's request for an acknowledgement; return it with an id of its own."""
        own = packet.id or b""
        known = own if number == 0 else b"%d" % self._next_id
        self._next_id = max(self._next_id, int(known) + 1)
        name = (packet.namespace, known)
        self._questions[name] = (number, own)
        if len(self._questions) > _MOST_QUESTIONS:
            del self._questions[next(iter(self._questions))]
        self._awaited.ask(("program", *name), ("program", packet.event), self._now)
        return message if known == own else _make(packet.encode(known))

    # During a move

    def preamble(self, number: int) -> Sequence[Message]:
        """Return the connect packets of all namespaces."""
        self._newest = number
        self._legs = {self._current: self._legs[self._current], number: _Leg()}
        for greetings in self._greetings.values():
            greetings.forget_dropped()
        return list(self._connects.values())

    def for_programs(self) -> Sequence[tuple[int, Message]]:
        """Return pongs for a new program, and connects that came while the client moves."""
        due, self._for_programs = self._for_programs, []
        return due

    def moved(self) -> Sequence[Message]:
        """Return a ping for the client, whose timer would run out between two programs."""
        self._current = self._newest
        self._pongs += 1
        return (_make(PING),)

    def switched(self) -> Sequence[Message]:
        """Return nothing: the new program knows the client."""
        return ()

    def overdue(self, now: float) -> Sequence[Message]:
        """Return nothing: no message is kept back."""
        self._now = now
        return ()

    def key(self, message: Message) -> Hashable | None:
        """Return the content of an event without its id; None for all else: never a repeat."""
        if message.opcode != TEXT or message.payload[:2] not in (b"42", b"45"):
            return None
        packet = parse_packet(message.payload)
        return packet and (packet.namespace, packet.data)


def _make(payload: bytes) -> Message:
    return Message(TEXT, make_frame(TEXT, payload), payload)


def _join(unit: list[Message]) -> Message:
    if len(unit) == 1:
        return unit[0]
    data = b"".join(one.data for one in unit)
    return Message(unit[0].opcode, data, b"\0".join(one.payload for one in unit))
