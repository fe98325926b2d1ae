"""The figures of each turn: the live chart and the report are drawn from them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from isshoni.engine.reconciler import TurnReport
from isshoni.rollout.analysis.verdict import Verdict
from isshoni.rollout.look import count_connections
from isshoni.rollout.model import COLOURS, Colour, MigrationStatus, Observation, Weights
from isshoni.rollout.state import Rollout

DENSE = 1200
"""Readings at the full rate; after each so many the interval doubles."""
COUNTERS_EVERY = 8
"""One reading in this many has the backends' own counters, of which there are many."""


@dataclass(frozen=True)
class Reading:
    """The figures of one turn. What could not be observed is None or left out."""

    at: float
    step: int
    rolling_back: bool = False
    connections: Mapping[Colour, int] = field(default_factory=dict)
    weights: Weights | None = None
    wanted: Weights | None = None
    told: int = 0
    """Clients asked to move."""
    moved: int = 0
    closed: int = 0
    """Stragglers: they did not move in time and were closed, to reconnect by themselves."""
    remaining: int = 0
    verdict: Verdict | None = None
    counters: Mapping[Colour, Mapping[str, int]] = field(default_factory=dict)
    gaps: Mapping[Colour, Mapping[str, int]] = field(default_factory=dict)
    """The times without a connection that clients reported: how many were at most each bound."""
    processes: Mapping[str, int] = field(default_factory=dict)
    """The connections of each process of the slots that have several."""


def take_reading(turn: TurnReport, *, counters: bool) -> Reading:
    """Return the figures of a turn."""
    rollout, seen = turn.rollout, turn.seen
    move = find_migration(seen, rollout) if seen else None
    return Reading(
        at=turn.at,
        step=rollout.step.number,
        rolling_back=rollout.rollback is not None,
        connections={c: count_clients(seen, c) for c in COLOURS} if seen else {},
        weights=seen.weights if seen else None,
        wanted=rollout.wanted,
        told=move.told if move else 0,
        moved=move.moved if move else 0,
        closed=move.closed if move else 0,
        remaining=move.remaining if move else 0,
        verdict=turn.verdict,
        counters=_read_counters(seen) if seen and counters else {},
        gaps=_read_gaps(seen) if seen and counters else {},
        processes=_read_processes(seen) if seen and counters else {},
    )


def count_clients(seen: Observation, colour: Colour) -> int:
    """Return a colour's live connections without those of probes.

    Probes of our own releases connect as clients do, and only the backend tells them apart; an
    earlier version does not. Of other programs they request pages, which the balancer counts.
    """
    status = seen.backends.get(colour)
    connections = count_connections(_without_probes(seen, colour), colour)
    probes = status.gauges.get("probe_connections") if status else None
    if status is None or probes is None or not connections:
        return connections
    return max(0, status.connections - int(probes))


def _without_probes(seen: Observation, colour: Colour) -> Observation:
    sample = seen.traffic.get(colour)
    if sample is None or not sample.probe_requests:
        return seen
    clients = max(0, sample.open_connections - sample.probe_requests)
    left = replace(sample, open_connections=clients)
    return replace(seen, traffic={**seen.traffic, colour: left})


def _read_counters(seen: Observation) -> dict[Colour, Mapping[str, int]]:
    return {c: dict(status.counters) for c, status in seen.backends.items() if status}


def _read_gaps(seen: Observation) -> dict[Colour, Mapping[str, int]]:
    reported = {
        c: status.histograms.get("gap_seconds") for c, status in seen.backends.items() if status
    }
    return {c: dict(buckets) for c, buckets in reported.items() if buckets}


def _read_processes(seen: Observation) -> dict[str, int]:
    known = (status.processes for status in seen.backends.values() if status)
    several = (processes for processes in known if len(processes) > 1)
    return {each.name: each.connections for processes in several for each in processes}


def find_migration(seen: Observation, rollout: Rollout) -> MigrationStatus | None:
    """Return the move that matters now: to the candidate, or back from it."""
    leaving = rollout.candidate if rollout.rollback else rollout.stable.colour
    status = seen.backends.get(leaving)
    return status.migration if status else None


def calculate_rate(readings: Sequence[Reading], over_seconds: float = 2.0) -> float:
    """Return the connections that moved per second, over the last seconds."""
    if not readings:
        return 0.0
    last = readings[-1]
    window = [r for r in readings if last.at - r.at <= over_seconds and r.told <= last.told]
    took = last.at - window[0].at
    return max(0, last.moved - window[0].moved) / took if took > 0 else 0.0


class ReadingLog:
    """A rollout's readings in a file, a line each; an engine that takes over appends to it.

    The file is not synced after each line: a power cut may lose the last readings, and an
    incomplete line is ignored.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._count = len(read_readings(path))
        self._last_at = float("-inf")

    @property
    def with_counters(self) -> bool:
        """True if the next reading should carry the counters."""
        return self._count % COUNTERS_EVERY == 0

    def is_due(self, now: float, interval_seconds: float) -> bool:
        """True if a reading is due; the interval grows with the length of the rollout."""
        interval = interval_seconds * float(2 ** (self._count // DENSE))
        return now - self._last_at >= interval

    def append(self, reading: Reading) -> None:
        """Add a reading to the file."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            # A line break first: the line before may be incomplete.
            file.write(b"\n" + msgspec.json.encode(reading))
        self._count += 1
        self._last_at = reading.at


def read_readings(path: Path) -> list[Reading]:
    """Return all readings of a rollout, oldest first; none if there is no file."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    readings = []
    for line in lines:
        try:
            readings.append(msgspec.json.decode(line, type=Reading))
        except msgspec.MsgspecError:
            continue  # an engine was killed while it wrote this one
    return readings


def thin_out(readings: Sequence[Reading], most: int) -> list[Reading]:
    """Return about `most` of the readings, evenly spread, and always the last."""
    stride = max(1, -(-len(readings) // most))
    kept = list(readings[::stride])
    if readings and kept[-1] is not readings[-1]:
        kept.append(readings[-1])
    return kept
