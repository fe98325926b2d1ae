"""Phoenix channels (serializer 2.0), LiveView's socket included as far as it is one of them.

The client's joins are replayed to a new program with their references, and its replies dropped.
While the reply to a push is awaited, the client is not moved.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from isshoni.relay.core.messages import Message
from isshoni.relay.core.profiles.awaited import Awaited
from isshoni.relay.core.profiles.greetings import Greetings
from isshoni.relay.core.profiles.phoenix_messages import (
    ChannelMessage,
    parse_client,
    parse_program,
)

JOIN, LEAVE, REPLY, END, ERROR = "phx_join", "phx_leave", "phx_reply", "phx_close", "phx_error"
FRESH_SECONDS = 1.0
"""How long after the reply to a join a new program may still send a greeting."""
_PRESENCE = ("presence_state", "presence_diff")
"""Of a new program they are no greeting: each names the presence of the new connection."""


@dataclass
class _Leg:
    """The replies of one program to joins."""

    joined: dict[str, float] = field(default_factory=dict)
    """The references of joins, and when each was accepted."""
    refused: bool = False


@dataclass
class _Join:
    """A channel that the client has joined."""

    ref: str
    message: Message


class Phoenix:
    """The channels of one Phoenix client."""

    __slots__ = (
        "_awaited",
        "_current",
        "_for_programs",
        "_greetings",
        "_joins",
        "_legs",
        "_newest",
        "_now",
        "can_move",
    )

    reads_client = reads_program = True
    in_unit = must_announce = False

    def __init__(self, *, can_move: bool = True) -> None:
        self.can_move = can_move
        """False for serializer 1.0, whose messages do not name the join that they belong to."""
        self._joins: dict[str, _Join] = {}
        """By topic."""
        self._legs = {0: _Leg()}
        self._current = self._newest = 0
        """The numbers of the leg that serves the client, and of the last one that was opened."""
        self._awaited = Awaited()
        self._greetings: dict[str, Greetings] = {}
        self._for_programs: list[tuple[int, Message]] = []
        self._now = 0.0

    @classmethod
    def for_request(cls, target: str) -> "Phoenix":
        """Return the profile of a client whose handshake has this path and query."""
        version = parse_qs(urlsplit(target).query).get("vsn", ["1.0.0"])[0]
        return cls(can_move=version.startswith("2."))

    @property
    def is_busy(self) -> bool:
        """True while a reply is awaited."""
        return self._awaited.is_any(self._now)

    @property
    def has_joined(self) -> bool:
        """True once the new program has accepted every join."""
        joined = self._legs[self._newest].joined
        return all(join.ref in joined for join in self._joins.values())

    @property
    def was_refused(self) -> bool:
        """True if the new program has refused a join, or ended a channel."""
        return self._legs[self._newest].refused

    def goes_past_hold(self, message: Message) -> bool:
        """Return False: a program waits for no answer of the client."""
        return False

    def from_client(self, message: Message, now: float) -> Iterable[Message]:
        """Record joins and what awaits a reply; return the message unchanged."""
        self._now = now
        found = parse_client(message)
        if found is None:
            return (message,)
        if found.ref is not None:
            self._awaited.ask(found.ref, found.event, now)
        if found.event not in (JOIN, LEAVE):
            return (message,)
        if found.event == JOIN:
            self._joins[found.topic] = _Join(found.join_ref or found.ref or "", message)
            self._greetings[found.topic] = Greetings()
        else:
            self._forget(found.topic)
        if self._newest > self._current:
            self._for_programs.append((self._newest, message))
        return (message,)

    def _forget(self, topic: str) -> None:
        self._joins.pop(topic, None)
        self._greetings.pop(topic, None)

    def from_program(self, number: int, message: Message, now: float) -> Iterable[Message]:
        """Return the message; drop a new program's replies to what was replayed."""
        self._now = now
        leg = self._legs.setdefault(number, _Leg())
        found = parse_program(message)
        if found is None:
            return (message,)
        if found.event == REPLY:
            return (message,) if self._is_for_client(number, leg, found) else ()
        if found.event in (END, ERROR):
            return (message,) if self._is_end(number, leg, found) else ()
        return () if self._is_greeting(number, leg, found) else (message,)

    def _is_for_client(self, number: int, leg: _Leg, reply: ChannelMessage) -> bool:
        """Record a reply; True if it is to be passed to the client."""
        join = self._joins.get(reply.topic)
        if join is None or join.ref != reply.ref:
            self._awaited.answer(reply.ref)
            return number <= self._current  # a new program's is the answer to a leave
        is_known = join.ref in leg.joined
        if reply.is_ok:
            leg.joined[join.ref] = self._now
        else:
            leg.refused = leg.refused or number > self._current
        if number != self._current or is_known:
            return False
        self._awaited.answer(reply.ref)
        if reply.is_ok:
            self._greetings.setdefault(reply.topic, Greetings()).accepted(self._now)
        else:
            self._forget(reply.topic)
        return True

    def _is_end(self, number: int, leg: _Leg, found: ChannelMessage) -> bool:
        """Record the end of a channel; True if it is to be passed to the client."""
        join = self._joins.get(found.topic)
        if join is None or (found.join_ref or join.ref) != join.ref:
            return number <= self._current  # of an earlier join; the client leaves it out
        leg.refused = leg.refused or number > self._current
        if number == self._current:
            self._forget(found.topic)
        return number == self._current

    def _is_greeting(self, number: int, leg: _Leg, found: ChannelMessage) -> bool:
        """True for a message that a new program sends to each client that joins."""
        join, greetings = self._joins.get(found.topic), self._greetings.get(found.topic)
        if join is None or greetings is None or found.event in _PRESENCE:
            return False
        joined_at = leg.joined.get(join.ref, self._now)
        is_fresh = number > 0 and self._now - joined_at < FRESH_SECONDS
        if (is_fresh or number > self._current) and greetings.is_repeat(found.event):
            return True
        if number == self._current:
            greetings.learn(found.event, self._now)
        return False

    def preamble(self, number: int) -> Sequence[Message]:
        """Return the joins."""
        self._newest = number
        self._legs = {self._current: self._legs[self._current], number: _Leg()}
        for greetings in self._greetings.values():
            greetings.forget_dropped()
        return [join.message for join in self._joins.values()]

    def for_programs(self) -> Sequence[tuple[int, Message]]:
        """Return joins and leaves that came while the client moves."""
        due, self._for_programs = self._for_programs, []
        return due

    def moved(self) -> Sequence[Message]:
        """Return nothing: the client asks for the heartbeats."""
        self._current = self._newest
        return ()

    def switched(self) -> Sequence[Message]:
        """Return nothing: the new program knows the client."""
        return ()

    def overdue(self, now: float) -> Sequence[Message]:
        """Return nothing: no message is kept back."""
        self._now = now
        return ()

    def key(self, message: Message) -> Hashable | None:
        """Return the content of a push or broadcast; None for all else, which is no repeat."""
        found = parse_program(message)
        if found is None or found.event in (REPLY, END, ERROR, *_PRESENCE):
            return None
        return (message.opcode, message.payload)
