"""What the relay knows of an application's protocol on top of WebSocket."""

from collections.abc import Hashable
from typing import Protocol

from isshoni.relay.core.frames import BINARY, TEXT
from isshoni.relay.core.messages import Message


class Profile(Protocol):
    """The protocol of one client's connection."""

    @property
    def reads_client(self) -> bool:
        """True while it wants to see the client's messages."""

    @property
    def awaits_answer(self) -> bool:
        """True if a new program has to answer the preamble before it serves the client."""

    def from_client(self, message: Message) -> None:
        """Record a message of the client, before it is sent on."""

    def preamble(self) -> list[bytes]:
        """Return the frames to be replayed to a new program, masked."""

    def key(self, message: Message) -> Hashable | None:
        """Return by what a program's message is known; None: it is never a repeat."""


class Plain:
    """Any protocol: the client's first messages are replayed, and repeats are found by content.

    Identical messages without an id, within the overlap of a move, cannot be distinguished.
    """

    __slots__ = ("_preamble", "_recorded")

    def __init__(self, preamble_messages: int = 0) -> None:
        self._preamble = preamble_messages
        self._recorded: list[bytes] = []

    @property
    def reads_client(self) -> bool:
        """True until the preamble is recorded."""
        return len(self._recorded) < self._preamble

    @property
    def awaits_answer(self) -> bool:
        """Return False: answers to the preamble are not known."""
        return False

    def from_client(self, message: Message) -> None:
        """Record a message of the preamble."""
        if message.opcode in (TEXT, BINARY) and self.reads_client:
            self._recorded.append(message.data)

    def preamble(self) -> list[bytes]:
        """Return the recorded messages as they were sent."""
        return list(self._recorded)

    def key(self, message: Message) -> Hashable | None:
        """Return the content; None for the end of a message whose begin was not read."""
        return (message.opcode, message.payload) if message.opcode else None
