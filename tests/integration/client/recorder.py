"""A listener that records every report, and that a test can wait for."""

import asyncio
from collections.abc import Callable, Mapping

from isshoni.client import (
    BackoffPolicy,
    ChatEvent,
    ClientListener,
    ClientSettings,
    ConnectionChange,
    ConnectionState,
    Hole,
)

QUICK = ClientSettings(
    backoff=BackoffPolicy(first_seconds=0.02, prompt_seconds=0.01, longest_seconds=0.2),
    open_timeout_seconds=0.5,
    restore_timeout_seconds=0.3,
    close_timeout_seconds=0.3,
    abandoned_move_seconds=0.1,
    resend_pause_seconds=0.05,
)
"""A client that is patient for milliseconds."""


class Recorder(ClientListener):
    """All reports of a client, by kind."""

    def __init__(self) -> None:
        self.changes: list[ConnectionChange] = []
        self.chats: list[ChatEvent] = []
        self.raw: list[tuple[int, int, bool]] = []
        """(seq, generation, replayed)"""
        self.acks: list[tuple[int, int | None]] = []
        self.numbered: list[dict[int, int]] = []
        self.doubtful: list[tuple[int, str]] = []
        self.refused: list[tuple[int, str, str]] = []
        self.saved: list[int] = []
        self.holes: list[Hole] = []
        self.restarts = 0
        self.errors: list[str] = []
        self._changed = asyncio.Event()

    @property
    def states(self) -> list[ConnectionState]:
        return [change.state for change in self.changes]

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.chats]

    def gap_seconds(self) -> float:
        """Return the last gap."""
        gap = self.changes[-1].gap_seconds
        assert gap is not None
        return gap

    async def until(self, condition: Callable[[], object], timeout: float = 5.0) -> None:
        """Wait until `condition` holds, checking it after each report."""
        async with asyncio.timeout(timeout):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def on_connection(self, change: ConnectionChange, at: float) -> None:
        self.changes.append(change)
        self._changed.set()

    def on_chat(self, event: ChatEvent, at: float) -> None:
        self.chats.append(event)
        self._changed.set()

    def on_raw_chat(self, event: ChatEvent, generation: int, replayed: bool, at: float) -> None:
        self.raw.append((event.seq, generation, replayed))
        self._changed.set()

    def on_ack(self, n: int, seq: int | None, at: float) -> None:
        self.acks.append((n, seq))
        self._changed.set()

    def on_numbered(self, changes: Mapping[int, int], at: float) -> None:
        self.numbered.append(dict(changes))
        self._changed.set()

    def on_doubtful(self, n: int, text: str, at: float) -> None:
        self.doubtful.append((n, text))
        self._changed.set()

    def on_refused(self, n: int, text: str, reason: str, at: float) -> None:
        self.refused.append((n, text, reason))
        self._changed.set()

    def on_saved(self, unsaved_edits: int, at: float) -> None:
        self.saved.append(unsaved_edits)
        self._changed.set()

    def on_hole(self, missing: Hole, at: float) -> None:
        self.holes.append(missing)
        self._changed.set()

    def on_log_restarted(self, at: float) -> None:
        self.restarts += 1
        self._changed.set()

    def on_error(self, code: str, message: str, at: float) -> None:
        self.errors.append(code)
        self._changed.set()
