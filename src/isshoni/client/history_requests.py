"""Requests for older messages: one at a time on the wire, and again after a lost connection."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from isshoni.client.errors import SessionLeft
from isshoni.session.backoff import read_wait_seconds
from isshoni.session.from_server import ChatEvent, parse_events
from isshoni.session.messages import ErrorMessage, History, HistoryPage

_FOR_NOW = frozenset({"not_ready", "rate_limited"})


@dataclass(frozen=True)
class OlderMessages:
    """A page of the log."""

    messages: list[ChatEvent]
    """Oldest first."""
    more: bool
    """True if the log has older ones."""


class HistoryRequests:
    """The requests of one client that are not answered yet."""

    def __init__(self, transmit: Callable[[History], None]) -> None:
        self._transmit = transmit
        self._waiting: deque[tuple[History, asyncio.Future[OlderMessages]]] = deque()

    async def ask(self, before: int, limit: int) -> OlderMessages:
        """Return the last `limit` messages before a seq; raises `SessionLeft` after `close`."""
        question = msgspec.convert({"type": "history", "before": before, "limit": limit}, History)
        answer: asyncio.Future[OlderMessages] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if len(self._waiting) == 1:
            self.ask_again()
        return await answer

    def ask_again(self) -> None:
        """Send the oldest request again, after a new connection or a refusal for now."""
        while self._waiting and self._waiting[0][1].done():
            self._waiting.popleft()  # its caller waits no longer
        if self._waiting:
            self._transmit(self._waiting[0][0])

    def receive_error(self, error: ErrorMessage, pause_seconds: float) -> None:
        """Ask again later if an error says that the request cannot be answered now."""
        if error.n is None and error.code in _FOR_NOW and self._waiting:
            wait_seconds = pause_seconds + read_wait_seconds(error.retry_after_ms or 0)
            asyncio.get_running_loop().call_later(wait_seconds, self.ask_again)

    def answer(self, page: HistoryPage) -> None:
        """Handle a page; ignore one that is not the answer to the oldest request."""
        events = parse_events(page.chat_history)
        if not self._waiting or (events and events[-1].seq >= self._waiting[0][0].before):
            return
        _, answer = self._waiting.popleft()
        if not answer.done():
            answer.set_result(OlderMessages(events, page.more))
        self.ask_again()

    def close(self) -> None:
        """Let every request fail with `SessionLeft`."""
        for _, answer in self._waiting:
            if not answer.done():
                answer.set_exception(SessionLeft())
        self._waiting.clear()
