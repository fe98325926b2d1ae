"""Made-up results: a good run and a bad one, for the report's tests."""

import random

from isshoni.verify.gaps import ConnectionTimeline, count_by_colour
from isshoni.verify.latency import LatencyBucket
from isshoni.verify.percentiles import Percentiles, calculate_percentiles
from isshoni.verify.result import (
    ClientSpan,
    ClientTimeline,
    ColourCount,
    DeliveryMs,
    Deploy,
    Edits,
    GapMs,
    LongCut,
    Messages,
    Phase,
    Result,
    WeightStep,
    WireMessages,
)
from isshoni.verify.sla import Evidence, SlaLimits, assess_sla

SECONDS = 62.0
_PHASES = (
    ("prepare", 12.0, 17.0),
    ("health", 17.0, 20.0),
    ("canary", 20.0, 34.0),
    ("migrate", 34.0, 44.0),
    ("finish", 44.0, 48.0),
)
_WEIGHTS = ((0.0, 100), (20.0, 90), (25.0, 50), (30.0, 0))


def make_result(*, bad: bool = False, clients: int = 200, seed: int = 7) -> Result:
    """Make a run of one deploy; `bad` cuts a third of the clients and loses messages."""
    rng = random.Random(seed)
    timelines = [_timeline(number, clients, rng, bad=bad) for number in range(clients)]
    rows = tuple(_row(number, timeline) for number, timeline in enumerate(timelines))
    gaps = calculate_percentiles(row.gap_ms for row in rows)
    long_cuts = tuple(
        LongCut(row.client_id, 36.0, row.gap_ms / 1000, "Redis", "at fault: Redis (not_ready)")
        for row in rows
        if row.gap_ms > 10_000
    )
    messages = Messages(12_400, 12_400 - 3 * bad, 124_000, 17 * bad, 2 * bad, 5 * bad)
    evidence = Evidence(
        messages=messages,
        wire=WireMessages(17 * bad, 0, 0),
        edits=Edits(3_100, 3_100, 4 * bad, int(bad), ("team <b>",) if bad else ()),
        gap_ms=GapMs(gaps.p50 or 0, gaps.p99 or 0, gaps.max or 0, sum(r.gap_ms > 0 for r in rows)),
        delivery_ms=DeliveryMs(
            quiet=Percentiles(1.42, 6.1, 19.8, 80_000),
            moving=Percentiles(1.9, 5400.0 if bad else 14.3, 16_000.0 if bad else 31.0, 20_000),
        ),
        deploys=(_deploy(bad=bad),),
        long_cuts=long_cuts,
    )
    return Result(
        target="ws://127.0.0.1:8080",
        started_at_unix=1_763_850_000.0,
        seconds=SECONDS,
        seed=seed,
        clients=clients,
        sessions=clients // 10,
        messages=evidence.messages,
        wire=evidence.wire,
        edits=evidence.edits,
        gap_ms=evidence.gap_ms,
        delivery_ms=evidence.delivery_ms,
        deploys=tuple(evidence.deploys),
        sla=assess_sla(evidence, SlaLimits()),
        weights=tuple(WeightStep(at, blue, 100 - blue) for at, blue in _WEIGHTS),
        connections=tuple(ColourCount(at, n) for at, n in count_by_colour(timelines)),
        latency=tuple(_latency(rng, bad=bad)),
        timelines=rows,
        long_cuts=long_cuts,
    )


def _timeline(number: int, clients: int, rng: random.Random, *, bad: bool) -> ConnectionTimeline:
    timeline = ConnectionTimeline()
    timeline.record_restored(number / clients * 3, "blue", "v1.0")
    session = number // 10 / (clients // 10)
    at = 20.0 + session * 20 if session < 0.15 else 34.0 + session * 9
    if bad and rng.random() < 0.35:
        timeline.record_lost(at, 1012)
        at += rng.expovariate(1 / 2.5)
    timeline.record_restored(at + rng.random() / 4, "green", "v1.1")
    timeline.end(SECONDS)
    return timeline


def _row(number: int, timeline: ConnectionTimeline) -> ClientTimeline:
    return ClientTimeline(
        client_id=f"synthetic-{number}",
        session_id=f"team-{number // 10}",
        gap_ms=timeline.cut_seconds((0.0, SECONDS)) * 1000,
        spans=tuple(
            ClientSpan(span.began_at, span.ended_at, span.colour, span.version)
            for span in timeline.spans
        ),
    )


def _deploy(*, bad: bool) -> Deploy:
    return Deploy(
        version="v1.1",
        expected="promoted",
        outcome="rolled_back" if bad else "promoted",
        began_at=12.0,
        seconds=36.0,
        bake_seconds=9.0,
        rollback_seconds=3.4 if bad else None,
        phases=tuple(Phase(*phase) for phase in _PHASES),
        reason="<script>alert(1)</script> & 5xx 4.2 %" if bad else None,
    )


def _latency(rng: random.Random, *, bad: bool) -> list[LatencyBucket]:
    buckets = []
    for half in range(6, 2 * int(SECONDS)):
        at = half / 2
        moving = 34 <= at < 44
        p50 = 1.3 + rng.random() * 0.4 + moving * 0.5
        p99 = 5 + rng.random() * 3 + moving * (rng.random() * (4000 if bad else 9))
        buckets.append(LatencyBucket(at, p50, p99, 2000))
    return buckets
