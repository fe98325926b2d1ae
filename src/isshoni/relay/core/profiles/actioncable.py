"""Action Cable (`actioncable-v1-json`): Rails, AnyCable and others.

The client's subscriptions are replayed to a new program and its answers dropped. What a channel
sends while it subscribes the client, before it confirms, is dropped too: the client has it.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from isshoni.relay.core.frames import TEXT, make_frame
from isshoni.relay.core.messages import Message
from isshoni.relay.core.profiles.awaited import Awaited

SUBPROTOCOL = "actioncable-v1-json"
_NO_PING = b'{"type":"ping","message":0}'


class _Command(msgspec.Struct):
    """What a client sends."""

    command: str = ""
    identifier: str = ""


class _Event(msgspec.Struct):
    """What a program sends; a message of a channel has no type."""

    type: str = ""
    identifier: str = ""


_commands, _events = msgspec.json.Decoder(_Command), msgspec.json.Decoder(_Event)


@dataclass
class _Leg:
    """What one program has confirmed."""

    is_welcome: bool = False
    confirmed: set[str] = field(default_factory=set)
    refused: bool = False


class ActionCable:
    """The subscriptions of one Action Cable client, by their identifiers."""

    __slots__ = (
        "_awaited",
        "_current",
        "_for_programs",
        "_legs",
        "_newest",
        "_now",
        "_ping",
        "_subscriptions",
    )

    reads_client = reads_program = True
    can_move = True
    in_unit = must_announce = False

    def __init__(self) -> None:
        self._subscriptions: dict[str, Message] = {}
        self._legs = {0: _Leg()}
        self._current = self._newest = 0
        """The numbers of the leg that serves the client, and of the last one that was opened."""
        self._awaited = Awaited()
        self._for_programs: list[tuple[int, Message]] = []
        self._ping = _make(_NO_PING)
        self._now = 0.0

    @property
    def is_busy(self) -> bool:
        """True while the answer to a subscription is awaited."""
        return self._awaited.is_any(self._now)

    @property
    def has_joined(self) -> bool:
        """True once the new program has welcomed the client and confirmed its subscriptions."""
        leg = self._legs[self._newest]
        return leg.is_welcome and self._subscriptions.keys() <= leg.confirmed

    @property
    def was_refused(self) -> bool:
        """True if the new program has rejected a subscription, or the client."""
        return self._legs[self._newest].refused

    def goes_past_hold(self, message: Message) -> bool:
        """Return False: a program waits for no answer of the client."""
        return False

    def from_client(self, message: Message, now: float) -> Iterable[Message]:
        """Record subscriptions; return the message unchanged."""
        self._now = now
        try:
            command = _commands.decode(message.payload)
        except msgspec.DecodeError:
            return (message,)  # the program refuses it
        if command.command == "subscribe":
            self._subscriptions[command.identifier] = message
            self._awaited.ask(command.identifier, "subscribe", now)
        elif command.command == "unsubscribe":
            self._forget(command.identifier)
        else:
            return (message,)
        if self._newest > self._current:
            self._for_programs.append((self._newest, message))
        return (message,)

    def _forget(self, identifier: str) -> None:
        self._subscriptions.pop(identifier, None)
        self._awaited.answer(identifier)
        for leg in self._legs.values():
            leg.confirmed.discard(identifier)

    def from_program(self, number: int, message: Message, now: float) -> Iterable[Message]:
        """Return the message; drop a new program's answers to what was replayed."""
        self._now = now
        leg = self._legs.setdefault(number, _Leg())
        event = _read_event(message)
        if event.type:
            return (message,) if self._is_for_client(number, leg, event, message) else ()
        is_early = number > self._current and event.identifier not in leg.confirmed
        return () if is_early else (message,)

    def _is_for_client(self, number: int, leg: _Leg, event: _Event, message: Message) -> bool:
        """Record what a program says of the connection; True if the client must know it."""
        is_known = event.identifier in leg.confirmed
        if event.type == "welcome":
            is_known, leg.is_welcome = leg.is_welcome, True
        elif event.type == "confirm_subscription":
            leg.confirmed.add(event.identifier)
        elif number > self._current:
            leg.refused = leg.refused or event.type in ("reject_subscription", "disconnect")
        if number != self._current:
            return False  # the end of the old one, or the begin of the new one
        if event.type == "ping":
            self._ping = message
        elif event.type == "confirm_subscription":
            self._awaited.answer(event.identifier)
            return not is_known
        elif event.type == "reject_subscription":
            self._forget(event.identifier)
        return True

    def preamble(self, number: int) -> Sequence[Message]:
        """Return the subscriptions."""
        self._newest = number
        self._legs = {self._current: self._legs[self._current], number: _Leg()}
        return list(self._subscriptions.values())

    def for_programs(self) -> Sequence[tuple[int, Message]]:
        """Return subscriptions that were added or ended while the client moves."""
        due, self._for_programs = self._for_programs, []
        return due

    def moved(self) -> Sequence[Message]:
        """Return a ping: the client takes 6 s without any for a dead connection."""
        self._current = self._newest
        return (self._ping,)

    def switched(self) -> Sequence[Message]:
        """Return nothing: the new program knows the client."""
        return ()

    def overdue(self, now: float) -> Sequence[Message]:
        """Return nothing: no message is kept back."""
        self._now = now
        return ()

    def key(self, message: Message) -> Hashable | None:
        """Return the content of a channel's message; None for all else, which may be repeated."""
        return None if _read_event(message).type else message.payload


def _read_event(message: Message) -> _Event:
    try:
        return _events.decode(message.payload)
    except msgspec.DecodeError:
        return _Event()


def _make(payload: bytes) -> Message:
    return Message(TEXT, make_frame(TEXT, payload), payload)
