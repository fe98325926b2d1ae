"""What each connection carried, before the client repaired anything.

The protocol promises every connection the events in the order of seq, without
holes and once each. A full client repairs a breach; here it is still seen.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

_REMEMBERED = 4096
"""How many skipped seqs of a connection are remembered; a late event comes soon."""


@dataclass(frozen=True)
class WireFaults:
    """Counts of messages that a connection skipped, repeated or brought late."""

    lost: int = 0
    doubled: int = 0
    reordered: int = 0

    def __add__(self, more: "WireFaults") -> "WireFaults":
        return WireFaults(
            self.lost + more.lost, self.doubled + more.doubled, self.reordered + more.reordered
        )

    @staticmethod
    def union(wires: "Iterable[WireOrder]") -> "WireFaults":
        """Count each seq of one session once, however many users met the fault."""
        lost: set[int] = set()
        doubled: set[int] = set()
        reordered: set[int] = set()
        for wire in wires:
            lost |= wire.lost()
            doubled |= wire.doubled
            reordered |= wire.reordered
        return WireFaults(len(lost), len(doubled), len(reordered))


@dataclass(slots=True)
class _Connection:
    last: int | None = None
    missing: set[int] = field(default_factory=set)


class WireOrder:
    """Follows the seqs on each connection of one user."""

    def __init__(self) -> None:
        self.doubled: set[int] = set()
        self.reordered: set[int] = set()
        self._connections: dict[int, _Connection] = {}

    def record(self, connection: int, seq: int, *, in_replay: bool) -> None:
        """Check one event against what its connection has carried so far."""
        state = self._connections.get(connection)
        if state is None:
            state = self._connections[connection] = _Connection()
        if in_replay or state.last is None:
            # A replay may repeat what came live while it was being asked for.
            state.last = max(seq, state.last or 0)
        elif seq > state.last:
            if seq > state.last + 1:
                self._skip(state, seq)
            state.last = seq
        elif seq in state.missing:
            state.missing.discard(seq)
            self.reordered.add(seq)
        else:
            self.doubled.add(seq)

    def end(self) -> None:
        """Keep the faults only; nothing more is recorded."""
        self._connections = {key: it for key, it in self._connections.items() if it.missing}

    def lost(self) -> set[int]:
        """Return the seqs that a connection skipped and never brought itself."""
        return {seq for state in self._connections.values() for seq in state.missing}

    def _skip(self, state: _Connection, seq: int) -> None:
        assert state.last is not None
        state.missing.update(range(max(state.last + 1, seq - _REMEMBERED), seq))
