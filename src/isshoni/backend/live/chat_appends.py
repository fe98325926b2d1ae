"""Append the chat messages of one session that arrive together in one call to the store."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from isshoni.backend.live.chat_history import ChatHistory
from isshoni.backend.live.in_flight import InFlight
from isshoni.backend.live.log_recovery import LogRecovery
from isshoni.backend.live.turn import Turn
from isshoni.backend.store.ports import (
    Appended,
    AppendResult,
    Behind,
    ChatStore,
    NewMessage,
)
from isshoni.backend.tasks import start_awaited
from isshoni.session.messages import Position

MAX_TOGETHER = 64
MAX_TOGETHER_BYTES = 64 << 10
"""At either a batch is sent: Redis serves no other client while it appends one."""


class ChatAppend(NewMessage, eq=False):
    """One message on its way to the log: a write of its connection that is in flight."""

    came: float
    """When it arrived, in seconds of the monotonic clock."""
    in_flight: InFlight
    outcome: AppendResult | Exception | None = None
    task: asyncio.Task[AppendResult] | None = None
    """Only if it is appended alone."""

    def done(self) -> bool:
        """True once the store has answered, or the write was cancelled."""
        return self.outcome is not None or self.cancelled()

    def cancelled(self) -> bool:
        """True if the write was cancelled before anything of it was sent."""
        return self.task is not None and self.task.cancelled()

    def drop(self, is_unsent: Callable[["asyncio.Task[AppendResult]"], bool]) -> None:
        """Cancel the write if nothing of it was sent."""
        if self.task is not None and is_unsent(self.task):
            self.task.cancel()


class ChatAppends:
    """The messages of one session on their way to its log, in the order in which they arrived.

    Those of one turn of the event loop, of all connections, are one call to the store: it costs
    Redis and this process about as much as a single message. Nothing waits for a timer.
    """

    def __init__(
        self,
        session_id: str,
        store: ChatStore,
        history: ChatHistory,
        recovery: LogRecovery,
        on_behind: Callable[[], None],
    ) -> None:
        self._session_id = session_id
        self._store = store
        self._history = history
        self._recovery = recovery
        self._on_behind = on_behind
        self._turn: Turn | None = None
        self._together: list[ChatAppend] = []
        self._together_bytes = 0
        self._alone = 0
        """How many messages are being appended alone; later ones must stay behind them."""

    def add(self, append: ChatAppend) -> None:
        """Append a message with the others of this turn; its `in_flight` is settled then."""
        if not self._together:
            if self._turn is None:
                self._turn = Turn.current()
            self._turn.add_write(self)
        self._together.append(append)
        self._together_bytes += len(append.envelope)
        if len(self._together) >= MAX_TOGETHER or self._together_bytes >= MAX_TOGETHER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what was added to the store."""
        appends, self._together, self._together_bytes = self._together, [], 0
        if not appends:
            return
        if self._recovery.active:
            self._end(appends, [Behind()] * len(appends))
            return
        epoch, known, digest = self._find_end()
        answer = partial(self._answer, epoch, appends)
        if self._alone or not self._store.start_append(
            self._session_id, appends, answer, known=known, known_digest=digest
        ):
            for append in appends:
                self._start_alone(append)

    def _find_end(self) -> tuple[str, Position, str]:
        """Return the epoch, and the last known end of the log with its digest."""
        epoch = self._history.epoch
        known = Position(epoch, self._recovery.known_seq)
        return epoch, known, self._recovery.choose_digest()

    def _answer(
        self,
        epoch: str,
        appends: list[ChatAppend],
        outcome: Sequence[AppendResult] | Exception,
    ) -> None:
        if isinstance(outcome, Exception):
            self._end(appends, [outcome] * len(appends))
            return
        for append, result in zip(appends, outcome, strict=True):
            self._keep(epoch, append.envelope, result)
        self._end(appends, outcome)

    def _keep(self, epoch: str, envelope: bytes, result: AppendResult) -> None:
        if isinstance(result, Appended):
            # Its publication may come first: always while the answer waits for replicas.
            if not self._history.has_delivered(result.seq, envelope):
                self._recovery.keep_appended(epoch, result.seq, envelope, result.stored)
        elif isinstance(result, Behind):
            self._on_behind()

    def _end(self, appends: list[ChatAppend], outcomes: Sequence[AppendResult | Exception]) -> None:
        for append, outcome in zip(appends, outcomes, strict=True):
            append.outcome = outcome
        for in_flight in dict.fromkeys([append.in_flight for append in appends]):
            in_flight.settle()

    # While writes must wait

    def _start_alone(self, append: ChatAppend) -> None:
        self._alone += 1
        append.task = start_awaited("write to the store", self._append_alone(append))
        append.task.add_done_callback(partial(self._settle_alone, append))

    async def _append_alone(self, append: ChatAppend) -> AppendResult:
        return await self.append(append.client_id, append.n, append.envelope, append.acknowledged)

    def _settle_alone(self, append: ChatAppend, task: "asyncio.Task[AppendResult]") -> None:
        self._alone -= 1
        if not task.cancelled():
            fault = task.exception()
            if fault is not None and not isinstance(fault, Exception):
                raise fault
            append.outcome = fault or task.result()
        append.in_flight.settle()

    async def append(
        self, client_id: str, n: int, envelope: bytes, acknowledged: int = 0
    ) -> AppendResult:
        """Append a message alone, unless the log lacks entries that this process knows of."""
        if self._recovery.active:
            return Behind()
        epoch, known, digest = self._find_end()
        result = await self._store.append_chat(
            self._session_id,
            client_id,
            n,
            envelope,
            known=known,
            known_digest=digest,
            acknowledged=acknowledged,
        )
        self._keep(epoch, envelope, result)
        return result
