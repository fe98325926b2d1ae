"""The state vector of a document, followed without the document."""

from collections.abc import Iterable

from pycrdt import write_var_uint

from isshoni.session.server.yjs_contents import Chunk
from isshoni.session.server.yjs_parts import Section

MAX_WAITING = 10_000


class Clocks:
    """For each author, the clock up to which a document has every struct.

    An update counts once everything that it refers to is there, as in Yjs.
    """

    def __init__(self, sections: Iterable[Section] = ()) -> None:
        """Begin with a document that has these sections; those behind a gap are left out."""
        self._clocks: dict[int, int] = {}
        self._waiting: list[list[Chunk]] = []
        for client, start, end in sorted(sections):
            if start <= self._clocks.get(client, 0) < end:
                self._clocks[client] = end

    def encode(self) -> bytes:
        """Return the state vector."""
        numbers = [len(self._clocks)]
        for entry in self._clocks.items():
            numbers += entry
        return b"".join(map(write_var_uint, numbers))

    def add(self, chunks: list[Chunk]) -> None:
        """Count an update, or remember it until what it refers to is there."""
        if not self._count(chunks):
            if len(self._waiting) < MAX_WAITING:
                self._waiting.append(chunks)
            return
        while self._waiting:
            waiting = [one for one in self._waiting if not self._count(one)]
            if len(waiting) == len(self._waiting):
                return
            self._waiting = waiting

    def _count(self, chunks: list[Chunk]) -> bool:
        clocks = self._clocks
        after: dict[int, int] = {}
        for chunk in chunks:
            known = after.get(chunk.client, clocks.get(chunk.client, 0))
            if chunk.start > known:
                return False
            after[chunk.client] = max(known, chunk.end)
        for chunk in chunks:
            for client, clock in chunk.needs.items():
                if clock >= after.get(client, clocks.get(client, 0)):
                    return False
        clocks.update(after)
        return True
