"""The size of a canvas log, followed while it grows and is compacted."""

from isshoni.backend.store.ports import CanvasLog


class LogSize:
    """The bytes of a snapshot and of the updates after it, as they are stored."""

    __slots__ = ("_snapshot", "_updates", "_upto", "total")

    def __init__(self) -> None:
        self._snapshot = self._upto = 0
        self._updates: dict[int, int] = {}
        self.total = 0

    def start(self, log: CanvasLog) -> None:
        """Begin with a log as the store has it; updates after it that were added stay."""
        later = {seq: size for seq, size in self._updates.items() if seq > log.seq}
        self._snapshot = len(log.snapshot or b"")
        self._upto = log.updates[0].seq - 1 if log.updates else log.seq
        self._updates = {entry.seq: len(entry.payload) for entry in log.updates} | later
        self._sum()

    def add(self, seq: int, size_bytes: int) -> None:
        """Add an update, unless it is in the snapshot, or was added."""
        if seq > self._upto and seq not in self._updates:
            self._updates[seq] = size_bytes
            self.total += size_bytes

    def compact(self, upto: int, snapshot_bytes: int) -> None:
        """Replace all up to a seq by a snapshot."""
        self._snapshot, self._upto = snapshot_bytes, upto
        self._updates = {seq: size for seq, size in self._updates.items() if seq > upto}
        self._sum()

    def _sum(self) -> None:
        self.total = self._snapshot + sum(self._updates.values())
