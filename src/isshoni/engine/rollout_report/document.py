"""The content of a rollout's report: the JSON file, and the data of the HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from isshoni.engine.journal import Record
from isshoni.engine.readings import Reading, thin_out
from isshoni.engine.report import RolloutReport
from isshoni.rollout.analysis.verdict import Verdict
from isshoni.rollout.model import COLOURS, Colour

MAX_READINGS = 600
"""More points would not be visible in a chart."""
DOCUMENT_VERSION = 1


@dataclass(frozen=True)
class GapBucket:
    """How many times a client was without a connection for so long."""

    up_to_seconds: float | None
    """None: longer than the longest bound."""
    count: int


@dataclass(frozen=True)
class Felt:
    """How the rollout affected live users, as the backends counted it."""

    told: int
    """Connections asked to move, at the last move."""
    moved: int
    closed: int
    """Stragglers: closed, to reconnect by themselves."""
    gained: Mapping[Colour, Mapping[str, int]]
    """The increase of each colour's counters while it was observed."""
    gaps: Sequence[GapBucket]
    """As clients measured them, shortest first; a client that moves without a gap counts as 0."""
    processes: Mapping[str, int]
    """The most connections that each process had, of the slots that have several."""


@dataclass(frozen=True)
class ReportDocument:
    """The full report of one rollout."""

    version: int
    report: RolloutReport
    last_verdict: Verdict | None
    """The last verdict of the analysis; on a rollback, often its cause."""
    felt: Felt
    readings: Sequence[Reading]
    records: Sequence[Record]
    log_lines: Sequence[str]
    """On a rollback: what the candidate wrote last before it."""


def make_document(
    report: RolloutReport,
    readings: Sequence[Reading],
    records: Sequence[Record],
    log_lines: Sequence[str],
) -> ReportDocument:
    """Return the report of a rollout."""
    verdicts = [reading.verdict for reading in readings if reading.verdict]
    return ReportDocument(
        version=DOCUMENT_VERSION,
        report=report,
        last_verdict=verdicts[-1] if verdicts else None,
        felt=sum_up_felt(readings),
        readings=thin_out(readings, MAX_READINGS),
        records=records,
        log_lines=log_lines,
    )


def sum_up_felt(readings: Sequence[Reading]) -> Felt:
    """Return the effect on live users, from the readings."""
    return Felt(
        told=max((r.told for r in readings), default=0),
        moved=max((r.moved for r in readings), default=0),
        closed=max((r.closed for r in readings), default=0),
        gained={
            c: _add_gains([r.counters[c] for r in readings if c in r.counters]) for c in COLOURS
        },
        gaps=_sort_gaps(
            [_add_gains([r.gaps[c] for r in readings if c in r.gaps]) for c in COLOURS]
        ),
        processes=_find_most(readings),
    )


def _find_most(readings: Sequence[Reading]) -> dict[str, int]:
    most: dict[str, int] = {}
    for reading in readings:
        for name, count in reading.processes.items():
            most[name] = max(count, most.get(name, 0))
    return dict(sorted(most.items()))


def _sort_gaps(gained: Sequence[Mapping[str, int]]) -> list[GapBucket]:
    """Return the counts of each bucket alone, both colours together."""
    bounds = sorted({bound for buckets in gained for bound in buckets}, key=float)
    reached = [sum(buckets.get(bound, 0) for buckets in gained) for bound in bounds]
    below = [0, *reached]
    return [
        GapBucket(None if bound == "+Inf" else float(bound), after - before)
        for bound, before, after in zip(bounds, below, reached, strict=False)
    ]


def _add_gains(counters: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Add up what counters gained; one that fell was reset by a restart."""
    gained: dict[str, int] = {}
    for before, after in pairwise(counters):
        for name, value in after.items():
            was = before.get(name, 0)
            gained[name] = gained.get(name, 0) + (value - was if value >= was else value)
    return gained
