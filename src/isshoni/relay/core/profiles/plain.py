"""Any protocol: the client's first messages are replayed, and repeats are found by content."""

from collections.abc import Hashable, Iterable, Sequence

from isshoni.relay.core.messages import Message
from isshoni.relay.core.profiles.profile import SentAsItComes


class Plain(SentAsItComes):
    """A profile that reads nothing but the client's first messages.

    Identical messages without an id, within the overlap of a move, cannot be distinguished.
    """

    __slots__ = ("_preamble", "_recorded")

    reads_program = False
    is_busy = False
    has_joined = True
    must_announce = False
    can_move = True
    in_unit = False

    def __init__(self, preamble_messages: int = 0) -> None:
        self._preamble = preamble_messages
        self._recorded: list[Message] = []

    @property
    def reads_client(self) -> bool:
        """True until the preamble is recorded."""
        return len(self._recorded) < self._preamble

    def from_client(self, message: Message, now: float) -> Iterable[Message]:
        """Record a message of the preamble; return it unchanged."""
        if self.reads_client:
            self._recorded.append(message)
        return (message,)

    def from_program(self, number: int, message: Message, now: float) -> Iterable[Message]:
        """Return the message unchanged."""
        return (message,)

    def preamble(self, number: int) -> Sequence[Message]:
        """Return the recorded messages."""
        return self._recorded

    def moved(self) -> Sequence[Message]:
        """Return nothing: the client does not notice."""
        return ()

    def switched(self) -> Sequence[Message]:
        """Return nothing: no state of the client has to be announced."""
        return ()

    def overdue(self, now: float) -> Sequence[Message]:
        """Return nothing: no message is kept back."""
        return ()

    def key(self, message: Message) -> Hashable | None:
        """Return the content; None for the end of a message whose beginning was not read."""
        return (message.opcode, message.payload) if message.opcode else None
