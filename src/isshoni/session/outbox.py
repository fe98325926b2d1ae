"""Keep a client's messages until they are acknowledged, so that none is lost."""

from collections import deque
from collections.abc import Iterable

import msgspec

from isshoni.session.chat_content import About, Files, is_same_content
from isshoni.session.messages import Chat, Position
from isshoni.session.outbox_state import (
    Doubt,
    KeptMessage,
    Logged,
    Noticed,
    OutboxState,
    Renumbered,
    Restored,
    Withdrawn,
    judge,
)

SENT_KEPT = 500
"""The number of acknowledged messages that a client keeps, in case Redis loses them."""


class Outbox:
    """A client's messages that are not known to be in the log, in the order of n.

    It is kept across connections. On each new one, call `settle`, acknowledge up to `last_n`,
    and send the messages of `due()`, in order, before any new message.

    A reload or a restart begins another run of a client under the same client_id. A number is
    provisional until the first restore of a run is answered, because only the log knows which
    numbers earlier runs used.
    """

    def __init__(self) -> None:
        self._kept: deque[Chat] = deque()
        self._provisional: list[Chat] = []
        self._sent: deque[Chat] = deque(maxlen=SENT_KEPT)
        self._last_n = 0
        self._acknowledged_n = 0
        self._log_n = 0
        self._settled = False
        self._proven = False
        self._sent_n = 0
        self._inherited_n = 0
        self._sent_at: Position | None = None
        self._seen: set[int] = set()
        self._resent_n = 0

    @classmethod
    def from_state(cls, state: OutboxState) -> "Outbox":
        """Return the outbox with the stored state of an earlier run of the client."""
        outbox = cls()
        for one in state.pending:
            kept = outbox._provisional if one.provisional else outbox._kept
            kept.append(Chat(one.n, one.text, one.about, one.files))
        outbox._last_n = state.last_n - len(outbox._provisional)
        outbox._sent_n, outbox._sent_at = state.sent_n, state.sent_at
        # They may have been sent after they were stored.
        outbox._inherited_n = outbox._kept[-1].n if outbox._kept else 0
        return outbox

    def to_state(self, client_id: str) -> OutboxState:
        """Return the state to store so that the next run of the client can continue."""
        kept = [KeptMessage(m.n, m.text, False, m.about, m.files) for m in self._kept]
        unsent = self._list_provisional()
        kept += [KeptMessage(m.n, m.text, True, m.about, m.files) for m in unsent]
        return OutboxState(client_id, self.last_n, tuple(kept), self._sent_n, self._sent_at)

    def __len__(self) -> int:
        return len(self._kept) + len(self._provisional)

    @property
    def last_n(self) -> int:
        """The greatest n that was assigned here or acknowledged."""
        return self._last_n + len(self._provisional)

    @property
    def proven(self) -> bool:
        """True once the log is known to have a message of this run under its number.

        Until then messages are sent one at a time: if an earlier run, or a duplicate, has
        used the number of one, the next must not reach the log before it.
        """
        return self._proven

    @property
    def awaits_event(self) -> bool:
        """True if the log has the first number, but its event (and text) has not arrived."""
        return bool(self._kept) and self._kept[0].n <= self._resent_n

    def add(self, text: str, about: About | None = None, files: Files = ()) -> Chat:
        """Add a message with the next n, and keep it until it is acknowledged."""
        message = Chat(self.last_n + 1, text, about, files)
        if self._settled:
            self._last_n = message.n
            self._kept.append(message)
        else:
            self._provisional.append(message)
        return message

    def settle(self, last_n: int) -> Renumbered:
        """Number the messages that cannot be in the log from `last_n` + 1; return the changes.

        Those are provisional messages, and final ones of this run that were never sent: if the
        log has the number of one, another run used it, even if its event has not arrived.
        """
        self._settled = True
        unsent, self._provisional = self._list_provisional(), []
        self._log_n = max(self._log_n, last_n)
        maybe_sent_n = max(self._sent_n, self._inherited_n)
        never_sent = [message for message in self._kept if message.n > maybe_sent_n]
        if never_sent and never_sent[0].n <= last_n:
            self._kept = deque(message for message in self._kept if message.n <= maybe_sent_n)
            return self._append([*never_sent, *unsent], last_n)
        return self._append(unsent, max(self._last_n, last_n))

    def acknowledge(self, n: int) -> list[int]:
        """Drop everything up to `n`; return the numbers that this acknowledged.

        Repeated and late acknowledgements return nothing. If `n` is greater than any number here
        (an earlier run of this client_id wrote it), counting continues from there, unless
        messages are waiting: they have their numbers already.
        """
        dropped: list[int] = []
        while self._kept and self._kept[0].n <= n:
            dropped += self._drop_first()
        self._last_n = max(self._last_n, n)
        self._log_n = max(self._log_n, n)
        if not self._kept:
            self._sent_at = None
        return dropped

    def answer(self, n: int, *, is_resend: bool) -> list[int]:
        """Handle the `ack` of message `n`; return the numbers that it acknowledged.

        The `ack` of a resend (`seq` null) only says that the log has the number. The event
        shows its text (`notice`); the message is acknowledged once both have arrived.
        """
        if not is_resend:
            # Earlier messages are in the log too; for a resend only the event shows their text.
            self._seen.update(m.n for m in self._kept if self._resent_n < m.n <= n or m.n == n)
        self._last_n = max(self._last_n, n)
        self._log_n = max(self._log_n, n)
        self._resent_n = max(self._resent_n, n)
        return self._acknowledge_seen()

    def notice(self, logged: Logged) -> Noticed:
        """Handle an event of this client_id: the log has `logged` under its number.

        If our message of that number has other content, it is not in the log: it gets the next
        number, even if a resend of it was considered acknowledged.
        """
        n = logged.n
        is_news = n > self._log_n
        self._last_n = max(self._last_n, n)
        self._log_n = max(self._log_n, n)
        for ours in (self._kept, self._sent):
            message = _find(ours, n)
            if message is None:
                continue
            if not is_same_content(message, logged):
                ours.remove(message)
                moved = self._move(message)
                return Noticed(self._acknowledge_seen(), moved, is_foreign=True)
            if ours is self._kept:
                self._seen.add(n)
                return Noticed(acknowledged=self._acknowledge_seen())
            return Noticed()
        return Noticed(is_foreign=is_news)

    def take_back(self, last_n: int) -> int:
        """Keep acknowledged messages beyond `last_n` again, because the log lost them.

        Returns how many. They are sent again, but not reported as acknowledged again.
        """
        taken = 0
        while self._sent and self._sent[-1].n > last_n:
            self._kept.appendleft(self._sent.pop())
            taken += 1
        if taken:
            self._log_n = min(self._log_n, last_n)
        return taken

    def can_send_from(self, expected: int) -> bool:
        """True if the outbox still has every message from `expected` on."""
        return not self._kept or self._kept[0].n <= expected

    def renumber(self) -> Renumbered:
        """Number the messages from 1 again, for a new client_id; return the changes."""
        kept, self._kept = self.pending(), deque()
        self._provisional = []
        self._sent.clear()
        self._seen.clear()
        self._last_n = self._acknowledged_n = self._log_n = self._sent_n = self._resent_n = 0
        self._proven, self._sent_at = False, None
        return self._append(kept, 0)

    def pending(self) -> list[Chat]:
        """List the unacknowledged messages, in the order in which they must be sent."""
        return [*self._kept, *self._list_provisional()]

    def resend_from(self, expected: int) -> list[Chat]:
        """List the messages to send after the error `gap`, from `expected` on.

        Earlier ones are in the log; their acknowledgement is on the way, or comes with the
        next restore.
        """
        return [message for message in self._kept if message.n >= expected]

    def due(self, from_n: int = 0) -> list[Chat]:
        """List the messages that may be sent now, from `from_n` on: one until `proven`."""
        if self._proven:
            return self.resend_from(from_n)
        return [message for message in list(self._kept)[:1] if message.n >= from_n]

    def note_sent(self, messages: Iterable[Chat], at: Position | None) -> None:
        """Record that messages are sent while the log is at `at`."""
        for message in messages:
            self._sent_n = max(self._sent_n, message.n)
            self._sent_at = self._sent_at or at

    def assess_doubt(self, asked: Position | None, restored: Restored) -> Doubt:
        """Return the action for messages that may have been sent, after a restore from `asked`.

        A log whose `last_n` is 0 may have had them, and have forgotten the client since. `ask`:
        restore again from `sent_at`. `send`: `sent_at` is now a position in the answer's log.
        """
        if not self._kept or self._kept[0].n > self._sent_n:
            return "send"
        doubt = judge(self._sent_at, asked, restored)
        if doubt == "send" and (
            self._sent_at is None or self._sent_at.epoch != restored.stand.epoch
        ):
            self._sent_at = restored.stand
        return doubt

    @property
    def sent_at(self) -> Position | None:
        """The position of the log when the oldest unacknowledged message was first sent."""
        return self._sent_at

    def withdraw_sent(self) -> list[Chat]:
        """Remove and return the messages that may have been sent."""
        withdrawn = [message for message in self._kept if message.n <= self._sent_n]
        self._kept = deque(message for message in self._kept if message.n > self._sent_n)
        self._seen.clear()
        self._sent_at = None
        return withdrawn

    def withdraw(self, n: int) -> Withdrawn | None:
        """Remove message `n`, which the server refused for good; later ones move up by one.

        None if it is not waiting, or if the log has its number: then the event decides.
        """
        refused = _find(self._kept, n)
        if refused is None or n <= self._log_n:
            return None
        renumbered = {message.n: message.n - 1 for message in self._kept if message.n > n}
        rest = [message for message in self._kept if message is not refused]
        self._kept = deque(_number(m, renumbered.get(m.n, m.n)) for m in rest)
        self._last_n -= 1
        # Numbers up to these are used again.
        self._sent_n -= n <= self._sent_n
        self._acknowledged_n -= n <= self._acknowledged_n
        if not self._kept:
            self._sent_at = None
        return Withdrawn(refused, renumbered)

    def _list_provisional(self) -> list[Chat]:
        first = self._last_n + 1
        return [_number(message, n) for n, message in enumerate(self._provisional, first)]

    def _append(self, messages: Iterable[Chat], after: int) -> Renumbered:
        """Number messages from `after` + 1 and keep them; return the changed numbers."""
        changed: Renumbered = {}
        self._last_n = after
        for message in messages:
            self._last_n += 1
            self._kept.append(_number(message, self._last_n))
            if message.n != self._last_n:
                changed[message.n] = self._last_n
        return changed

    def _move(self, message: Chat) -> Renumbered:
        """Move a message to the next free number, and unsent later messages after it."""
        firm = [one for one in self._kept if one.n <= self._sent_n]
        loose = [one for one in self._kept if one.n > self._sent_n]
        before = [one for one in loose if one.n < message.n]
        after = [one for one in loose if one.n > message.n]
        self._kept = deque(firm)
        greatest = max([self._log_n, *(one.n for one in firm)])
        return self._append([*before, message, *after], greatest)

    def _acknowledge_seen(self) -> list[int]:
        dropped: list[int] = []
        while self._kept and self._kept[0].n <= self._resent_n and self._kept[0].n in self._seen:
            self._proven = True
            dropped += self._drop_first()
        if not self._kept:
            self._sent_at = None
        return dropped

    def _drop_first(self) -> list[int]:
        """Drop the oldest message; return its number unless it was acknowledged before."""
        message = self._kept.popleft()
        self._seen.discard(message.n)
        self._sent.append(message)
        if message.n <= self._acknowledged_n:
            return []
        self._acknowledged_n = message.n
        return [message.n]


def _number(message: Chat, n: int) -> Chat:
    return message if message.n == n else msgspec.structs.replace(message, n=n)


def _find(messages: deque[Chat], n: int) -> Chat | None:
    """Return message `n`, or None; searches from the newest."""
    for message in reversed(messages):
        if message.n <= n:
            return message if message.n == n else None
    return None
