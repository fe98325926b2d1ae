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
SURVIVORS = YOUNG * (MIDDLE + 1) * (OLD + 1)
"""About the most objects that a full collection finds and freezes."""


class ShortCollections:
    """Excludes the objects that survive a full collection from the next ones (`gc.freeze`).

    An excluded object is still freed when its last reference goes. Only excluded objects that
    refer to one another are not, so whatever comes and goes often must be without such cycles.

    To count the frozen objects takes longer than a collection, 10 ms for 100,000: so they are
    counted only when there may be too many.
    """

    def __init__(self) -> None:
        self._limit = 0
        self._most_frozen = 0
        """As many objects are frozen at most, as far as is known without counting them."""
        self._searches_all = False
        """True if the next full collection searches everything."""
        self._threshold: tuple[int, int, int] | None = None
        """The thresholds from before `start`; None if it is not at work."""

    def start(self) -> None:
        """Freeze what exists now, and from now on after each full collection."""
        if self._threshold is not None:
            return
        self._threshold = gc.get_threshold()
        self._searches_all = False
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
        gc.freeze()
        if self._searches_all:
            self._searches_all = False
            self._set_limit()
            return
        self._most_frozen += SURVIVORS
        if self._most_frozen > self._limit:
            self._most_frozen = gc.get_freeze_count()
            if self._most_frozen > self._limit:
                self._searches_all = True
                gc.unfreeze()

    def _set_limit(self) -> None:
        self._most_frozen = gc.get_freeze_count()
        self._limit = MOST_GROWTH * self._most_frozen + ALWAYS_FROZEN
