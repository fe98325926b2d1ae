"""Keep full garbage collections short: what survived one is not searched again.

A full collection searches every object, and nothing else runs while it does: with 1,000 clients
40 ms or more. Python runs one whenever the objects have grown by a quarter, so several fall into a
move of all sessions, which makes as many connections as there are.
"""

import gc
from typing import Any

YOUNG, MIDDLE, OLD = 700, 10, 3
"""The thresholds: a full collection comes after about 20,000 more objects, and searches these."""
MOST_GROWTH = 3
ALWAYS_FROZEN = 200_000
"""Everything is searched once again when so many times the objects of the last time, and so many
more, are not searched any more: some of them may be garbage by then."""


class ShortCollections:
    """Excludes the objects that survive a full collection from the next ones (`gc.freeze`).

    An excluded object is still freed when its last reference goes. Only excluded objects that
    refer to one another are not, so whatever comes and goes often must be without such cycles.
    """

    def __init__(self) -> None:
        self._limit = 0
        self._threshold: tuple[int, int, int] | None = None
        """The thresholds from before `start`; None if it is not at work."""

    def start(self) -> None:
        """Freeze what exists now, and from now on after each full collection."""
        if self._threshold is not None:
            return
        self._threshold = gc.get_threshold()
        gc.freeze()
        self._set_limit()
        gc.set_threshold(YOUNG, MIDDLE, OLD)
        gc.callbacks.append(self._on_collection)

    def stop(self) -> None:
        """Search everything again from now on, if it is at work."""
        if self._threshold is None:
            return
        gc.set_threshold(*self._threshold)
        self._threshold = None
        gc.callbacks.remove(self._on_collection)
        gc.unfreeze()

    def _on_collection(self, phase: str, info: dict[str, Any]) -> None:
        if phase != "stop" or info["generation"] != 2:
            return
        was_whole = not gc.get_freeze_count()
        gc.freeze()
        if was_whole:
            self._set_limit()
        elif gc.get_freeze_count() > self._limit:
            gc.unfreeze()  # the next full collection searches everything

    def _set_limit(self) -> None:
        self._limit = MOST_GROWTH * gc.get_freeze_count() + ALWAYS_FROZEN
