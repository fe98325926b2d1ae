"""The interface of a profile: what it decides about one client's connection."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Protocol

from isshoni.relay.core.messages import Message


class Profile(Protocol):
    """The protocol of one client's connection, and what was seen of it.

    Messages that go on unchanged are returned as they came. Times are in seconds.
    """

    @property
    def reads_client(self) -> bool:
        """True while the client's messages must be passed to this profile."""

    @property
    def reads_program(self) -> bool:
        """True while the program's messages must be passed to it, also when nothing moves."""

    @property
    def can_move(self) -> bool:
        """False if a new program could not continue what this client began."""

    @property
    def is_busy(self) -> bool:
        """True while an answer is awaited, so that the client should not be moved now."""

    @property
    def in_unit(self) -> bool:
        """True if the client's next message must go to the same program as its last one."""

    @property
    def has_joined(self) -> bool:
        """True once the new program has answered the preamble as far as it must."""

    @property
    def was_refused(self) -> bool:
        """True if the new program refused something of the preamble: the client stays."""

    @property
    def must_announce(self) -> bool:
        """True if `switched` has to be sent again: the program believes that the client left."""

    def goes_past_hold(self, message: Message) -> bool:
        """True for a message that must reach the old program while the client's others are held."""

    def from_client(self, message: Message, now: float) -> Iterable[Message]:
        """Return what is sent on to the program for a message of the client."""

    def from_program(self, number: int, message: Message, now: float) -> Iterable[Message]:
        """Return what is sent on to the client for a message of a program.

        `number` is that of the connection: 0 is the first, and each move opens the next one.
        """

    def for_programs(self) -> Sequence[tuple[int, Message]]:
        """Return, once, what has to be sent to programs: the connection's number, the message."""

    def preamble(self, number: int) -> Sequence[Message]:
        """Return what a new program has to be sent before it serves the client."""

    def moved(self) -> Sequence[Message]:
        """Return what the client has to be sent when the newest program serves it."""

    def switched(self) -> Sequence[Message]:
        """Return what the new program has to be sent once the old one has ended."""

    def overdue(self, now: float) -> Sequence[Message]:
        """Return messages for the client that were kept back and are due."""

    def key(self, message: Message) -> Hashable | None:
        """Return what two copies of a program's message share; None: it is never a repeat."""


class SentAsItComes:
    """For profiles that send programs nothing of their own and let every message be held."""

    __slots__ = ()

    was_refused = False

    def goes_past_hold(self, message: Message) -> bool:
        """Return False: every message is held."""
        return False

    def for_programs(self) -> Sequence[tuple[int, Message]]:
        """Return nothing."""
        return ()
