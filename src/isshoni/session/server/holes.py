"""Find updates that are missing from a document: Yjs keeps later ones, but does not show them."""

from isshoni.session.server.yjs_update import find_starts, parse_state

MAX_WATCHED = 10_000


class HoleWatch:
    """Compares the updates that a document was given with its state vector.

    Once an update is part of the document, the clock of its author is greater than the clock
    at which the update starts.
    """

    def __init__(self) -> None:
        self._starts: dict[int, int] = {}
        self._reported: dict[int, int] = {}

    def record(self, update: bytes) -> None:
        """Record an update that was applied."""
        for client, clock in find_starts(update):
            if clock > self._starts.get(client, -1) and len(self._starts) < MAX_WATCHED:
                self._starts[client] = clock

    def find_holes(self, state: bytes) -> dict[int, int]:
        """Return the first missing clock by author; a hole that was returned before is left out."""
        clocks = parse_state(state)
        self._starts = {c: start for c, start in self._starts.items() if clocks.get(c, 0) <= start}
        holes = {client: clocks.get(client, 0) for client in self._starts}
        new = {c: clock for c, clock in holes.items() if self._reported.get(c) != clock}
        self._reported = holes
        return new
