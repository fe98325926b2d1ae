"""The types of an outbox: what is stored of it, and what its methods return."""

from dataclasses import dataclass, field
from typing import Literal, Protocol

import msgspec

from isshoni.session.chat_content import About, Files, HasContent
from isshoni.session.messages import Chat, Position

Renumbered = dict[int, int]
"""Old number → new number, for each message whose number changed."""


class KeptMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """One unacknowledged message, as stored for the next run of the client."""

    n: int
    text: str
    provisional: bool = False
    """True while `n` may still change: the log's last number is not known yet."""
    about: About | None = None
    files: Files = ()


class OutboxState(msgspec.Struct, frozen=True, omit_defaults=True):
    """A stored outbox."""

    client_id: str
    last_n: int = 0
    pending: tuple[KeptMessage, ...] = ()
    sent_n: int = 0
    """The greatest number that may have been sent."""
    sent_at: Position | None = None
    """The position of the log when the oldest of `pending` was first sent."""


Doubt = Literal["send", "ask", "give_back"]
"""The action for messages that may have been sent and that the log does not know."""

Evidence = Literal["events", "number", "ask"]
"""What shows that the log has a message of ours: its event, or the log's `last_n` alone."""


class Logged(HasContent, Protocol):
    """An event of the log."""

    @property
    def n(self) -> int:
        """Its author's number of it."""


@dataclass(frozen=True)
class Restored:
    """The facts about the log in the answer to a restore."""

    mode: Literal["replay", "full"]
    last_n: int
    stand: Position
    first_seq: int | None
    """The seq at which the history of the answer begins; None if it is empty."""

    @property
    def shows_all(self) -> bool:
        """True if the history has every entry that the log ever had."""
        return self.stand.seq == 0 or self.first_seq == 1

    def shows_since(self, since: Position) -> bool:
        """True if the history has every entry that was appended after `since`."""
        if since.epoch != self.stand.epoch:
            return False
        if self.mode == "replay":
            return True
        return self.first_seq is not None and self.first_seq <= since.seq + 1


@dataclass(frozen=True)
class Noticed:
    """The changes to the outbox after an event under its own client_id."""

    acknowledged: list[int] = field(default_factory=list)
    renumbered: Renumbered = field(default_factory=dict)
    is_foreign: bool = False
    """True if another run of this client_id, or a duplicate, is writing."""


@dataclass(frozen=True)
class Withdrawn:
    """A message that left the outbox because the server will never accept it."""

    message: Chat
    renumbered: Renumbered


def judge(since: Position | None, asked: Position | None, restored: Restored) -> Doubt:
    """Return the action for messages first sent at `since`, after a restore from `asked`."""
    stand = restored.stand
    if restored.mode != "full" or restored.last_n or since is None:
        return "send"
    if since.epoch != stand.epoch:
        # A merge keeps messages under a new epoch, at other seqs: only all of the log shows it.
        return "send" if restored.shows_all else "give_back"
    if restored.shows_since(since) or stand.seq <= since.seq:
        return "send"
    return "give_back" if asked is not None and asked.epoch == stand.epoch else "ask"


def choose_evidence(since: Position | None, asked: Position | None, restored: Restored) -> Evidence:
    """Return what shows that a log with our numbers has our messages, first sent at `since`.

    `events`: the history shows the text of each number, or its event is still on the way. `ask`: a
    restore from `since` shows it. `number`: nothing shows it, so `last_n` must be believed.
    """
    if since is None or since.epoch != restored.stand.epoch:
        return "number"
    if restored.shows_since(since):
        return "events"
    return "number" if asked == since else "ask"
