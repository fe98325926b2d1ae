"""The port through which chat messages are appended, and its results."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from isshoni.session.messages import Position


class Appended(msgspec.Struct, frozen=True, gc=False, eq=False):
    """A message that is in the log now; equal to another at the same seq."""

    seq: int
    stored: bytes | None = None
    """The bytes in the store, as in `Entry.stored`."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Appended) and self.seq == other.seq

    def __ne__(self, other: object) -> bool:
        return not self == other  # that of `msgspec.Struct` does not ask `__eq__`

    def __repr__(self) -> str:
        return f"Appended({self.seq})"


@dataclass(frozen=True)
class Duplicate:
    """A message that was in the log before."""

    last_n: int


@dataclass(frozen=True)
class Gap:
    """A message that skips one; nothing was written."""

    expected: int


@dataclass(frozen=True)
class Behind:
    """The log lacks what the caller knows was in it; nothing was written."""


AppendResult = Appended | Duplicate | Gap | Behind


class NewMessage(msgspec.Struct):
    """A chat message that is to be appended; `ChatStore.append_chat` explains the fields."""

    client_id: str
    n: int
    envelope: bytes
    acknowledged: int


Answer = Callable[[Sequence[AppendResult] | Exception], None]
"""Handles the results of messages that were appended together, or what all of them failed with."""


class ChatAppender(Protocol):
    """Appends messages to the chat log of a session."""

    async def append_chat(
        self,
        session_id: str,
        client_id: str,
        n: int,
        envelope: bytes,
        *,
        known: Position | None = None,
        acknowledged: int = 0,
        known_digest: str = "",
    ) -> AppendResult:
        """Append unless (client_id, n) is there (`Duplicate`) or n skips a number (`Gap`).

        A client unknown to the log may start at any n. With `acknowledged`, the last n that
        was acknowledged to it, it must go on from there. The log may forget a client, but not
        while it has a message of that client.

        `known` is the last known end of the log. `Behind`, with nothing written, if the log
        has another epoch, is shorter, or has an entry there whose digest is not `known_digest`
        ("" compares nothing): then it lost messages, and their seqs are not used again.
        """

    def start_append(
        self,
        session_id: str,
        messages: Sequence[NewMessage],
        answer: Answer,
        *,
        known: Position | None = None,
        known_digest: str = "",
    ) -> bool:
        """Append messages in one step, in this order, each as `append_chat` would.

        It only sends them: `answer` is called once, and may be called before this returns. Nothing
        is raised. False, with nothing sent and no call, while writes must wait: then append each
        alone, and await it.
        """
