"""Holes in a document: updates whose predecessors are missing, which Yjs does not show."""

from isshoni.session.server.yjs_update import find_starts, parse_state

MAX_WATCHED = 10_000


class HoleWatch:
    """What a document should have got to, against what its state vector says.

    An update that could be taken in leaves its author's clock beyond its start.
    """

    def __init__(self) -> None:
        self._starts: dict[int, int] = {}
        self._told: dict[int, int] = {}

    def note(self, update: bytes) -> None:
        """Record an update that was applied."""
        for client, clock in find_starts(update):
            if clock > self._starts.get(client, -1) and len(self._starts) < MAX_WATCHED:
                self._starts[client] = clock

    def find_holes(self, state: bytes) -> dict[int, int]:
        """Return the authors of missing updates and the first missing clock; each hole once."""
        clocks = parse_state(state)
        self._starts = {c: start for c, start in self._starts.items() if clocks.get(c, 0) <= start}
        holes = {client: clocks.get(client, 0) for client in self._starts}
        new = {c: clock for c, clock in holes.items() if self._told.get(c) != clock}
        self._told = holes
        return new
