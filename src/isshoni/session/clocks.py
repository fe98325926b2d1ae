"""The state vector of a document, followed without the document."""

from collections.abc import Iterable

from pycrdt import write_var_uint

from isshoni.session.yjs_contents import Chunk

Section = tuple[int, int, int]
"""An author, and its clocks: the first, and the one after the last."""


class Clocks:
    """For each author, the clock up to which a document has every struct.

    Structs count once everything that they refer to is there, as in Yjs; until then they wait.
    """

    def __init__(self, sections: Iterable[Section] = (), most_waiting: int | None = None) -> None:
        """Begin with a document that has these sections; those behind a gap wait.

        Beyond `most_waiting` chunks, a further one is forgotten instead of kept.
        """
        self._most_waiting = most_waiting
        self._clocks: dict[int, int] = {}
        self.waiting: list[Chunk] = []
        """Chunks that refer to something missing, or come behind a gap."""
        self._awaited: set[int] = set()
        """The authors of what is missing."""
        for client, start, end in sorted(sections):
            if not self.advance([Chunk(client, start, end)]):
                self.keep([Chunk(client, start, end)])

    def of(self, client: int) -> int:
        """Return the clock after the last known struct of an author."""
        return self._clocks.get(client, 0)

    def encode(self) -> bytes:
        """Return the state vector."""
        numbers = [len(self._clocks)]
        for entry in self._clocks.items():
            numbers += entry
        return b"".join(map(write_var_uint, numbers))

    @property
    def missing(self) -> dict[int, int]:
        """By author: the first clock that is missing, although something builds on it."""
        return {client: self.of(client) for client in self._awaited}

    def add(self, chunks: list[Chunk]) -> None:
        """Count an update, or keep it until what it refers to is there."""
        if not self.advance(chunks):
            self.keep(chunks)
        self.pop_ready(chunks)

    def advance(self, chunks: list[Chunk]) -> bool:
        """Count an update if all that it refers to is there; else return False."""
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

    def keep(self, chunks: Iterable[Chunk]) -> None:
        """Keep what is new in an update that could not be counted."""
        for chunk in chunks:
            if self._most_waiting is not None and len(self.waiting) >= self._most_waiting:
                return
            if chunk.end > self.of(chunk.client):
                self.waiting.append(chunk)
                if not self._await(chunk):  # it waited for nothing but the rest of its update
                    self._awaited.add(chunk.client)

    def pop_ready(self, added: Iterable[Chunk]) -> list[Chunk]:
        """Count what waited for the chunks that were just added or kept; return it, in order.

        Chunks may refer to one another: those are ready together.
        """
        if not any([chunk.client in self._awaited for chunk in added]):
            return []
        limits = self._find_limits()
        ready = [one for one in self.waiting if one.end <= limits.get(one.client, 0)]
        if ready:
            self.waiting = [one for one in self.waiting if one.end > limits.get(one.client, 0)]
            for one in ready:
                self._clocks[one.client] = max(one.end, self.of(one.client))
        self._awaited.clear()
        for one in self.waiting:
            self._await(one)
        return sorted(ready, key=lambda one: (one.client, one.start))

    def _await(self, chunk: Chunk) -> bool:
        """Remember whose structs must come before a chunk can be counted; False if none must."""
        authors = [client for client, clock in chunk.needs.items() if clock >= self.of(client)]
        if chunk.start > self.of(chunk.client):
            authors.append(chunk.client)
        self._awaited.update(authors)
        return bool(authors)

    def _find_limits(self) -> dict[int, int]:
        """Return the clocks with all that can be counted.

        First all is counted that has no gap before it; then what needs something beyond is taken
        away again, with all that comes after it.
        """
        limits = dict(self._clocks)
        needing: dict[int, list[tuple[int, int, Chunk]]] = {}
        for number, chunk in enumerate(sorted(self.waiting, key=lambda one: one.start)):
            if chunk.start <= limits.get(chunk.client, 0):
                limits[chunk.client] = max(chunk.end, limits.get(chunk.client, 0))
            for client, clock in chunk.needs.items():
                needing.setdefault(client, []).append((clock, number, chunk))
        for needs in needing.values():
            needs.sort(key=lambda need: need[:2])
        lowered = set(needing)
        while lowered:
            client = lowered.pop()
            needs = needing.get(client, [])
            while needs and needs[-1][0] >= limits.get(client, 0):
                chunk = needs.pop()[2]
                if chunk.start < limits.get(chunk.client, 0):
                    limits[chunk.client] = max(chunk.start, self.of(chunk.client))
                    lowered.add(chunk.client)
        return limits
