"""What a deploy did to the clients of a peer. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from isshoni.verify.percentiles import calculate_percentiles


@dataclass(frozen=True)
class Ledger:
    """Clients cut, their time without a connection, and what became of the messages."""

    clients: int
    cut: int
    gap_p50_ms: float
    gap_p99_ms: float
    """Over all clients; 0 for one that was never cut."""
    messages: int
    lost: int
    """Messages that at least one member of their room never received."""
    doubled: int
    """Messages that at least one member received twice."""

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "Ledger":
        """Return the ledger that `crowd.mjs` printed."""
        return cls.from_gaps(
            found["clients"],
            found["cut"],
            found["gaps_ms"],
            messages=found["messages"],
            lost=found["lost"],
            doubled=found["doubled"],
        )

    @classmethod
    def from_gaps(
        cls,
        clients: int,
        cut: int,
        gaps_ms: Sequence[float],
        *,
        messages: int,
        lost: int,
        doubled: int,
    ) -> "Ledger":
        """Return a ledger with the percentiles of these gaps."""
        gaps = calculate_percentiles(list(gaps_ms))
        p50, p99 = round(gaps.p50 or 0.0), round(gaps.p99 or 0.0)
        return cls(clients, cut, p50, p99, messages, lost, doubled)

    @property
    def brief(self) -> str:
        """Return it in one line."""
        return (
            f"{self.cut} of {self.clients} clients cut, gap p50 {self.gap_p50_ms:,} ms, "
            f"p99 {self.gap_p99_ms:,} ms; of {self.messages:,} messages {self.lost:,} lost, "
            f"{self.doubled:,} doubled"
        )

    def to_json(self) -> dict[str, Any]:
        """Return every field by its name."""
        return asdict(self)
