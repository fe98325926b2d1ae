"""Send a client's own chat messages, and send them again until they are in the log."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from isshoni.client.settings import ClientSettings
from isshoni.session.chat_content import About, Files
from isshoni.session.from_server import ChatEvent
from isshoni.session.messages import (
    MESSAGES_AFTER_PAUSE,
    Chat,
    ErrorMessage,
    Position,
    SessionRestored,
)
from isshoni.session.outbox import Outbox
from isshoni.session.outbox_state import Renumbered, Restored, choose_evidence

NEVER_ACCEPTED = frozenset({"too_large", "bad_message", "read_only"})
"""Errors of a message after which no resend can succeed."""


class SenderOwner(Protocol):
    """What a sender needs from its client."""

    @property
    def position(self) -> Position | None:
        """The position of the last message that was delivered."""

    @property
    def is_restored(self) -> bool:
        """True while there is an open, restored connection."""

    def transmit(self, messages: Sequence[Chat]) -> None:
        """Send messages on the current connection."""

    def ask_restore(self) -> None:
        """Ask for a restore on the current connection."""

    def change_name(self) -> None:
        """Change to a new client_id, and reconnect with it."""

    def on_acknowledged(self, numbers: Sequence[int], n: int, seq: int | None) -> None:
        """Handle the acknowledgement of messages; only message `n` has a `seq`."""

    def on_numbered(self, changes: Renumbered) -> None:
        """Handle messages whose numbers changed."""

    def on_doubtful(self, message: Chat) -> None:
        """Handle a message that is not sent again because it may have been in the log."""

    def on_refused(self, message: Chat, reason: str) -> None:
        """Handle a message that the server will never accept."""


class ChatSender:
    """Sends the outbox of one client, with the timers for sending again."""

    def __init__(
        self,
        outbox: Outbox,
        owner: SenderOwner,
        settings: ClientSettings,
        uniform: Callable[[], float],
    ) -> None:
        self.outbox = outbox
        self.doubt_since: Position | None = None
        """If set, nothing is sent until a restore shows what came after this position.

        It stays over a lost connection: a restore from a later position would not show it.
        """
        self._owner = owner
        self._settings = settings
        self._uniform = uniform
        self._alone = True
        """True while only one message may be in flight; see `_due`."""
        self._has_begun = False
        self._has_company = False
        """True while another life of this client_id may be writing."""
        self._company_timer: asyncio.TimerHandle | None = None
        self._asked_at: float | None = None
        """When the oldest message without an answer on this connection was sent."""
        self._is_log_slow = False
        self._event_timer: asyncio.TimerHandle | None = None
        self._missed_event = False
        self._resend_timer: asyncio.TimerHandle | None = None
        self._resend_from = 0
        self._pace_seconds: float | None = None
        """Pause between the parts of a resend, after the server limited our rate."""

    def send(self, text: str, about: About | None = None, files: Files = ()) -> Chat:
        """Send a message, now or once connected."""
        message = self.outbox.add(text, about, files)
        # While a resend is due, new messages wait for it: sent earlier they would make a gap.
        if self._resend_timer is None:
            self._send_from(message.n)
        return message

    def restored(
        self,
        asked: Position | None,
        answer: SessionRestored,
        own: Sequence[ChatEvent],
        *,
        first_seq: int | None,
        restarted: bool,
    ) -> None:
        """Handle the answer to a restore from `asked`.

        `own` are the events of our client_id in its history, which begins at `first_seq`.
        """
        self.doubt_since = None
        last_n = answer.last_n
        restored = Restored(answer.mode, last_n, answer.position, first_seq)
        self._tell_numbers(self.outbox.settle(last_n))
        for event in own:
            self._notice(event)
        # A log that only forgot this client (last_n is 0) has lost nothing, and a merge keeps what
        # it has under another epoch: only one that shows all it ever took is believed to lack ours.
        lost = last_n > 0 or (restarted and restored.shows_all)
        if lost and self.outbox.take_back(last_n):
            self.resend_soon(last_n + 1)
        self._acknowledge_restored(asked, restored)
        self._assess_doubt(asked, restored)
        if last_n and not self._has_begun:
            self._go_alone(self._settings.new_life_seconds)
        self._has_begun = True
        self._alone = not last_n or not self.outbox.proven or self._has_company

    def go_on(self) -> None:
        """Send everything unacknowledged, once the connection is restored."""
        self.cancel_resend()
        if self.doubt_since is not None:
            self._owner.ask_restore()
        else:
            self._send_from(0)

    def answer(self, n: int, seq: int | None) -> None:
        """Handle the `ack` of message `n`."""
        first = self._first
        self._is_log_slow |= self._waits_long()
        self._asked_at = None
        acknowledged = self.outbox.answer(n, is_resend=seq is None)
        self._owner.on_acknowledged(acknowledged, n, seq)
        self._await_event()
        self._go_on_after(first)

    def notice(self, event: ChatEvent) -> None:
        """Handle a live event of our client_id; another life may have sent it."""
        first = self._first
        self._notice(event)
        self._go_on_after(first)

    def receive_error(self, error: ErrorMessage) -> None:
        """Handle an error about a message of ours; only a refused one leaves the outbox."""
        if error.code == "gap" and error.expected is not None:
            self._fill_gap(error.expected)
        elif error.n is None:
            return
        elif error.code == "not_saved":
            self.resend_soon(error.n)
        elif error.code == "rate_limited":
            self._slow_down(error.n, (error.retry_after_ms or 0) / 1000)
        elif error.code in NEVER_ACCEPTED:
            self._refuse(error.n, error.message)

    def _refuse(self, n: int, reason: str) -> None:
        withdrawn = self.outbox.withdraw(n)
        if withdrawn is None:
            return
        self._owner.on_refused(withdrawn.message, reason)
        self._tell_numbers(withdrawn.renumbered)
        # What was sent behind it met a gap.
        self.resend_soon(0)

    def _fill_gap(self, expected: int) -> None:
        """Send again from `expected` on, the number that the log waits for."""
        if not self.outbox.can_send_from(expected):
            self.outbox.take_back(expected - 1)
        if self.outbox.can_send_from(expected):
            self.resend_soon(expected)
            return
        # The log lost more messages than we keep, and would wait for them for ever: send
        # the rest under a new client_id.
        self._tell_numbers(self.outbox.renumber())
        self._owner.change_name()

    def _slow_down(self, n: int, pace_seconds: float) -> None:
        """Send again from `n` on, in parts with this pause between them."""
        self._pace_seconds = min(pace_seconds, self._settings.max_pace_seconds)
        self.resend_soon(n)

    def resend_soon(self, n: int) -> None:
        """Send again from `n` on, after a pause."""
        if self._resend_timer is not None:
            self._resend_from = min(self._resend_from, n)
            return
        self._resend_from = n
        pause = self._uniform() * self._settings.resend_pause_seconds
        delay = pause + (self._pace_seconds or 0.0)
        self._resend_timer = asyncio.get_running_loop().call_later(delay, self._resend_now)

    def cancel_resend(self) -> None:
        """Cancel a scheduled resend; the next restore sends everything."""
        if self._resend_timer is not None:
            self._resend_timer.cancel()
            self._resend_timer = None
        self._pace_seconds = None

    def lost(self) -> None:
        """Stop the timers of a lost connection."""
        self.cancel_resend()
        self._asked_at = None
        if self._event_timer is not None:
            self._event_timer.cancel()
            self._event_timer = None

    def close(self) -> None:
        """Stop every timer."""
        self.lost()
        if self._company_timer is not None:
            self._company_timer.cancel()

    @property
    def _first(self) -> int | None:
        pending = self.outbox.pending()
        return pending[0].n if pending else None

    def _notice(self, event: ChatEvent) -> None:
        noticed = self.outbox.notice(event)
        if noticed.is_foreign:
            self._go_alone(self._settings.other_life_seconds)
        self._tell_numbers(noticed.renumbered)
        if noticed.acknowledged:
            self._owner.on_acknowledged(noticed.acknowledged, event.n, event.seq)

    def _acknowledge_restored(self, asked: Position | None, restored: Restored) -> None:
        """Acknowledge up to the log's `last_n`, or ask for the events that show whose they are.

        If the history reaches back to when we sent, events missing from it are still on their
        way to this server, and will show the text of each number: acknowledge them then. If
        they do not arrive in time, the next restore acknowledges by number alone.
        """
        last_n, first = restored.last_n, self._first
        evidence = choose_evidence(self.outbox.sent_at, asked, restored)
        if evidence == "ask" and first is not None and first <= last_n:
            self.doubt_since = self.outbox.sent_at
            return
        if evidence == "events" and not self._missed_event:
            acknowledged = self.outbox.answer(last_n, is_resend=True)
            self._await_event()
        else:
            acknowledged = self.outbox.acknowledge(last_n)
        self._missed_event = False
        self._owner.on_acknowledged(acknowledged, last_n, None)

    def _await_event(self) -> None:
        if self.outbox.awaits_event and self._event_timer is None:
            delay = self._settings.event_timeout_seconds
            self._event_timer = asyncio.get_running_loop().call_later(delay, self._ask_for_event)

    def _tell_numbers(self, changes: Renumbered) -> None:
        if changes:
            self._owner.on_numbered(changes)

    def _assess_doubt(self, asked: Position | None, restored: Restored) -> None:
        """Decide about messages that may be in a log that has forgotten this client.

        If the log still has everything since they were sent, a restore from there shows it.
        If not, they are given back (`on_doubtful`): sent again, they might be there twice.
        """
        doubt = self.outbox.assess_doubt(asked, restored)
        if doubt == "ask":
            self.doubt_since = self.outbox.sent_at
        elif doubt == "give_back":
            for message in self.outbox.withdraw_sent():
                self._owner.on_doubtful(message)

    def _go_alone(self, seconds: float) -> None:
        """Send one message at a time for some seconds.

        Another life of this client_id may use the number of one of our messages; the next one
        must not reach the log before the one that has lost its number.
        """
        if self._company_timer is not None:
            self._company_timer.cancel()
        self._alone = self._has_company = True
        loop = asyncio.get_running_loop()
        self._company_timer = loop.call_later(seconds, self._end_company)

    def _end_company(self) -> None:
        if self._is_log_slow or self._waits_long():
            # What an earlier life sent waits as long as ours: begin the time again.
            self._is_log_slow = False
            self._go_alone(self._settings.new_life_seconds)
            return
        self._has_company = False
        if self.outbox.proven:
            self._alone = False
            self._send_from(0)

    def _waits_long(self) -> bool:
        """True if a message has been without an answer for a quarter of `new_life_seconds`."""
        if self._asked_at is None:
            return False
        seconds = asyncio.get_running_loop().time() - self._asked_at
        return seconds > self._settings.new_life_seconds / 4

    def _go_on_after(self, first: int | None) -> None:
        """Send the next messages, if they were waiting for `first`."""
        if self._alone and self._first != first:
            self._alone = not self.outbox.proven or self._has_company
            self._send_from(0)

    def _ask_for_event(self) -> None:
        self._event_timer = None
        if self.outbox.awaits_event and self._owner.is_restored:
            self._missed_event = True
            self._owner.ask_restore()

    def _resend_now(self) -> None:
        self._resend_timer = None
        due = self._due(self._resend_from)
        if self._pace_seconds is None:
            self._transmit(due)
            return
        now, later = due[:MESSAGES_AFTER_PAUSE], due[MESSAGES_AFTER_PAUSE:]
        self._transmit(now)
        if later:
            self.resend_soon(later[0].n)
        else:
            self._pace_seconds = None

    def _send_from(self, n: int) -> None:
        self._transmit(self._due(n))

    def _due(self, n: int) -> list[Chat]:
        """List what may be sent now, from `n` on: while `_alone` only the first."""
        due = self.outbox.due(n)
        return [message for message in due if message.n == self._first] if self._alone else due

    def _transmit(self, messages: Sequence[Chat]) -> None:
        if self._owner.is_restored and self.doubt_since is None:
            self.outbox.note_sent(messages, self._owner.position)
            if messages and self._asked_at is None:
                self._asked_at = asyncio.get_running_loop().time()
            self._owner.transmit(messages)
