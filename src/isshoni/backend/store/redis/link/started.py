"""A script whose outcome is handled by a callback: no task waits for it."""

from collections.abc import Callable, Coroutine
from typing import Any

from isshoni.backend.store.redis.link.write_gate import WriteGate
from isshoni.backend.tasks import failures, start_once


class StartedScript:
    """Calls `answer` once, with the reply or an exception, and then leaves the gate."""

    __slots__ = ("_answer", "_gate")

    def __init__(self, answer: Callable[[Any], None], gate: WriteGate | None) -> None:
        self._answer = answer
        self._gate = gate

    def end(self, outcome: Any) -> None:
        """Handle the outcome; a fault of the handler does not reach the connection to Redis."""
        try:
            self._answer(outcome)
        except Exception as fault:
            failures.report("answer a write", fault)
        finally:
            if self._gate is not None:
                self._gate.leave()

    def follow(self, work: Coroutine[Any, Any, Any]) -> None:
        """Handle the outcome of `work`, which runs in a task."""
        start_once("write to the store", self._wait(work))

    async def _wait(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            outcome = await work
        except Exception as fault:
            outcome = fault
        self.end(outcome)
