"""A state that a program keeps for a connection follows the client (`isshoni.middleware`).

A program that has the middleware says so in its answer to the handshake, sends a first message
with the token of the connection, and later its signed state. Only the relay and the programs
know the token. The relay drops these messages, keeps the last state, and sends it to the next
program: in the handshake, and once more before the client's first message there, as it may have
changed in between.
"""

from collections.abc import Hashable, Iterable, Sequence

from isshoni.relay.core.frames import TEXT, make_frame
from isshoni.relay.core.handshake import Handshake
from isshoni.relay.core.messages import Message
from isshoni.relay.core.profiles.profile import Profile

MAX_CARRIED_BYTES = 4096
"""Of a signed state; a longer one is not kept."""


class Carried:
    """Another profile, and the state of the connection."""

    __slots__ = (
        "_current",
        "_handshake",
        "_inner",
        "_newest",
        "_prefix",
        "_reports",
        "_stale",
        "_writer",
    )

    def __init__(self, inner: Profile, handshake: Handshake, *, reports: bool = False) -> None:
        self._inner = inner
        self._handshake = handshake
        self._prefix = b"isshoni-state:%b:" % handshake.token
        self._reports: set[int] = {0} if reports else set()
        """The numbers of the programs that report a state; 0 is the first."""
        self._current = self._newest = self._writer = 0
        """The program that serves the client, the newest, and that of the last state."""
        self._stale = False
        """True if the current program may have an earlier state."""

    # The state

    def from_client(self, message: Message, now: float) -> Iterable[Message]:
        """Send the program the state before the client's message, if it may not have it."""
        passed = self._inner.from_client(message, now)
        if not self._must_send:
            return passed
        self._stale = False
        payload = self._prefix + bytes(self._handshake.carried)
        return (Message(TEXT, make_frame(TEXT, payload), payload), *passed)

    def from_program(self, number: int, message: Message, now: float) -> Iterable[Message]:
        """Keep a state that a program reports, and drop its message."""
        is_report = message.opcode == TEXT and message.payload.startswith(self._prefix)
        if not (is_report and self._handshake.token):
            return self._inner.from_program(number, message, now)
        self._reports.add(number)
        state = message.payload[len(self._prefix) :]
        # The old program may report late, but not after the new one has.
        if state and len(state) <= MAX_CARRIED_BYTES and number >= self._writer:
            self._handshake.carried[:] = state
            self._writer, self._stale = number, number != self._current
        return ()

    @property
    def _must_send(self) -> bool:
        return self._stale and self._current in self._reports

    @property
    def reads_client(self) -> bool:
        """True if the state has to be sent before the client's next message."""
        return self._must_send or self._inner.reads_client

    @property
    def reads_program(self) -> bool:
        """True while the program may report a state."""
        return self._current in self._reports or self._inner.reads_program

    # A move

    def preamble(self, number: int) -> Sequence[Message]:
        """Return what the other profile has to send."""
        self._newest = number
        return self._inner.preamble(number)

    def moved(self) -> Sequence[Message]:
        """Send the state once more: it may have changed since the handshake."""
        self._current, self._stale = self._newest, bool(self._handshake.carried)
        return self._inner.moved()

    # As the other profile has it

    @property
    def can_move(self) -> bool:
        """As the other profile has it."""
        return self._inner.can_move

    @property
    def is_busy(self) -> bool:
        """As the other profile has it."""
        return self._inner.is_busy

    @property
    def in_unit(self) -> bool:
        """As the other profile has it."""
        return self._inner.in_unit

    @property
    def has_joined(self) -> bool:
        """As the other profile has it."""
        return self._inner.has_joined

    @property
    def was_refused(self) -> bool:
        """As the other profile has it."""
        return self._inner.was_refused

    def goes_past_hold(self, message: Message) -> bool:
        """As the other profile has it."""
        return self._inner.goes_past_hold(message)

    def for_programs(self) -> Sequence[tuple[int, Message]]:
        """Return what the other profile has for programs."""
        return self._inner.for_programs()

    @property
    def must_announce(self) -> bool:
        """As the other profile has it."""
        return self._inner.must_announce

    def switched(self) -> Sequence[Message]:
        """Return what the new program has to be sent once the old one has ended."""
        return self._inner.switched()

    def overdue(self, now: float) -> Sequence[Message]:
        """Return messages for the client that were kept back and are due."""
        return self._inner.overdue(now)

    def key(self, message: Message) -> Hashable | None:
        """Return what two copies of a message share."""
        return self._inner.key(message)
