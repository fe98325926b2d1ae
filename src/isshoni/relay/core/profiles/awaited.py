"""Requests that await an answer: a client is not moved between a request and its answer."""

from collections.abc import Hashable

ANSWER_SECONDS = 3.0
"""An answer that takes longer is not waited for: it may never come."""
_MOST_KINDS = 256


class Awaited:
    """Requests without an answer so far.

    A kind of request that got none in time is not waited for again, until one of its kind is
    answered: a program need not answer each request, and its clients have to move all the same.
    """

    __slots__ = ("_pending", "_silent")

    def __init__(self) -> None:
        self._pending: dict[Hashable, tuple[Hashable, float]] = {}
        """By the name of each request: its kind, and when it was made. Oldest first."""
        self._silent: set[Hashable] = set()

    def ask(self, name: Hashable, kind: Hashable, now: float) -> None:
        """Record a request; `now` in seconds."""
        self._forget_late(now)
        self._pending.pop(name, None)
        self._pending[name] = (kind, now)

    def answer(self, name: Hashable) -> None:
        """Record the answer to a request, if it is still waited for."""
        found = self._pending.pop(name, None)
        if found is not None:
            self._silent.discard(found[0])

    def is_any(self, now: float) -> bool:
        """True while an answer is awaited."""
        self._forget_late(now)
        return any(kind not in self._silent for kind, _ in self._pending.values())

    def _forget_late(self, now: float) -> None:
        while self._pending:
            name = next(iter(self._pending))
            kind, at = self._pending[name]
            if now - at <= ANSWER_SECONDS:
                return
            del self._pending[name]
            if len(self._silent) < _MOST_KINDS:
                self._silent.add(kind)
