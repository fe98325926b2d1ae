"""Join the answers of a slot's processes, or of its instances on AWS, into one."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from isshoni.environments.counters import GrowingCounters
from isshoni.rollout.model import BackendStatus, Formats, MigrationStatus, ProcessStatus, Proof

UNHEARD_OF_RATE = 1e-9
"""A rate that is never ordered, so that the migration is ordered again from all processes."""

_BUCKET = " at most "
"""Separates a histogram's name and bound in the name of the counter of a bucket."""


def join_statuses(
    found: Mapping[str, BackendStatus | None], growing: GrowingCounters
) -> BackendStatus | None:
    """Join the statuses of several processes: counters are summed, gauges are the worst.

    A process that does not answer (None) makes the whole not ready. None if none answers.
    """
    statuses = {name: status for name, status in found.items() if status is not None}
    if not statuses:
        return None
    known = list(statuses.values())
    processes = tuple(describe_process(name, status) for name, status in found.items())
    unready = [process for process in processes if not process.ready]
    counted = {name: {**s.counters, **_flatten(s.histograms)} for name, s in statuses.items()}
    # A process that gives no answer once has not restarted: its counters would count twice.
    totals = growing.grow(
        {f"{n} {key}": v for n, keys in counted.items() for key, v in keys.items()},
        lambda key: key.partition(" ")[0] not in statuses,
    )
    sums = _sum_counters(totals)
    return BackendStatus(
        version=" and ".join(sorted({status.version for status in known})),
        ready=not unready,
        draining=any(status.draining for status in known),
        connections=sum(status.connections for status in known),
        most_connections=len(known) * max(status.connections for status in known),
        sessions=sum(status.sessions for status in known),
        counters={name: count for name, count in sums.items() if _BUCKET not in name},
        gauges={
            name: max(status.gauges.get(name, 0.0) for status in known)
            for name in {name for status in known for name in status.gauges}
        },
        migration=join_migrations([s.migration if s else None for s in found.values()]),
        not_ready_reason="; ".join(f"{each.name}: {each.reason}" for each in unready) or None,
        formats=_join_formats([status.formats for status in known]),
        histograms=_unflatten(sums),
        speaks_isshoni=all(status.speaks_isshoni for status in known),
        redis_findings=tuple(dict.fromkeys(f for s in known for f in s.redis_findings)),
        limit="; ".join(sorted({status.limit for status in known if status.limit})) or None,
        protocol=_find_odd_protocol(known),
        processes=processes,
        standby_ready=_join_standby(list(found.values())),
        standby_reason=_join_standby_reasons(found),
    )


def _join_standby(statuses: Sequence[BackendStatus | None]) -> bool | None:
    """True if all processes are ready as a standby; None if one knows nothing of regions."""
    known = [status.standby_ready for status in statuses if status is not None]
    return None if None in known else len(known) == len(statuses) and all(known)


def _join_standby_reasons(found: Mapping[str, BackendStatus | None]) -> str | None:
    reasons = {
        name: "it does not answer on its admin port" if status is None else status.standby_reason
        for name, status in found.items()
    }
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items() if reason) or None


def describe_process(name: str, status: BackendStatus | None) -> ProcessStatus:
    if status is None:
        return ProcessStatus(name, reason="it does not answer on its admin port")
    return ProcessStatus(
        name,
        pid=status.pid,
        version=status.version,
        ready=status.ready,
        reason=status.not_ready_reason,
        connections=status.connections,
        sessions=status.sessions,
        cpu_pct=status.gauges.get("cpu_pct", 0.0),
        gauges=status.gauges,
        migration=status.migration,
    )


def _find_odd_protocol(statuses: Sequence[BackendStatus]) -> int | None:
    """Return the processes' protocol version; if they differ, one that no probe can speak."""
    odd = [status.protocol for status in statuses if not status.speaks_isshoni]
    spoken = [version for version in odd if version is not None]
    return spoken[0] if spoken else None if odd else statuses[0].protocol


def _flatten(histograms: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    return {
        f"{name}{_BUCKET}{bound}": count
        for name, buckets in histograms.items()
        for bound, count in buckets.items()
    }


def _unflatten(counters: Mapping[str, int]) -> dict[str, dict[str, int]]:
    histograms: dict[str, dict[str, int]] = {}
    for key, count in counters.items():
        name, is_bucket, bound = key.partition(_BUCKET)
        if is_bucket:
            histograms.setdefault(name, {})[bound] = count
    return histograms


def _sum_counters(counters: Mapping[str, int]) -> dict[str, int]:
    """Sum counters by name; those of a removed process still count, so sums never fall."""
    sums: dict[str, int] = {}
    for named, value in counters.items():
        name = named.partition(" ")[2]
        sums[name] = sums.get(name, 0) + value
    return sums


def join_migrations(moves: list[MigrationStatus | None]) -> MigrationStatus | None:
    """Sum the migrations of a slot's processes; None if none of them has one.

    If their orders differ, or one has none, the sum is not `done`, and its rate is one that
    is never ordered, so the caller orders the migration again from all processes.
    """
    known = [move for move in moves if move is not None]
    if not known:
        return None
    slowest = min(known, key=lambda move: move.share_pct)
    agreed = len(known) == len(moves) and len(set(map(_order_of, known))) == 1
    rates = [move.rate_per_second for move in known]
    rate = sum(rates) if all(rates) else 0.0  # 0: one of an early version does not report it
    summed = ("told", "moved", "closed", "remaining", "waiting")
    sums: dict[str, Any] = {name: sum(getattr(move, name) for move in known) for name in summed}
    return replace(
        slowest,
        **sums,
        failures=_sum_counts(move.failures for move in known),
        closed_for=_sum_counts(move.closed_for for move in known),
        done=agreed and all(move.done for move in known),
        rate_per_second=rate if agreed else UNHEARD_OF_RATE,
    )


def _order_of(move: MigrationStatus) -> tuple[str, float, float | None]:
    return move.to, move.share_pct, move.close_over_seconds


def _sum_counts(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for each in counts:
        sums.update(each)
    return dict(sums)


def _join_formats(formats_of_all: list[Formats | None]) -> Formats | None:
    """Return the formats that any instance writes, and those that all of them read."""
    known = [formats for formats in formats_of_all if formats is not None]
    if len(known) < len(formats_of_all) or not known:
        return None
    writes = {form for formats in known for form in formats.writes}
    reads = set.intersection(*(set(formats.reads) for formats in known))
    return Formats(tuple(sorted(writes)), tuple(sorted(reads)))


def join_proofs(proofs: Mapping[str, Proof]) -> Proof:
    """Return a proof that fails, and name its process; if none fails, the first.

    One that reached Redis goes before one of a process that hangs: it says more.
    """
    failed = {name: proof for name, proof in proofs.items() if not proof.holds}
    if not failed:
        return next(iter(proofs.values()))
    name = next((name for name, proof in failed.items() if proof.redis), next(iter(failed)))
    proof = failed[name]
    if len(proofs) == 1 or proof.fault is None:
        return proof
    return replace(proof, fault=f"{name}: {proof.fault}")
