"""Make the result of a run from its books. Pure: no I/O, no waiting."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from isshoni.verify.attribution import Probe
from isshoni.verify.clock import RunClock
from isshoni.verify.collected import Collected, collect
from isshoni.verify.gaps import count_by_colour
from isshoni.verify.latency import LatencySeries
from isshoni.verify.percentiles import calculate_percentiles
from isshoni.verify.ports import COMMAND_PHASE, DeployReport
from isshoni.verify.result import (
    ClientTimeline,
    ColourCount,
    DeliveryMs,
    Deploy,
    GapMs,
    LoadShare,
    Phase,
    Result,
    WeightStep,
)
from isshoni.verify.settings import PlannedDeploy, RunSettings
from isshoni.verify.sla import Evidence, assess_sla
from isshoni.verify.users import Books, SyntheticUser

MOVING_PHASES = ("canary", "migrate", "rollback", COMMAND_PHASE)
"""The phases in which live sessions move, or may move: what a command does is not known."""
MAX_POINTS = 400
"""Points of a series in the JSON; a drawing cannot show more."""
BUCKETS = 120


@dataclass(frozen=True)
class DeployRecord:
    """A deploy as it was planned, and as it went, in seconds of the run."""

    planned: PlannedDeploy
    report: DeployReport
    began_at: float
    ended_at: float


def assemble_result(
    *,
    url: str,
    settings: RunSettings,
    books: Books,
    users: Sequence[SyntheticUser],
    probes: Sequence[Probe],
    deploys: Sequence[DeployRecord],
    ended_at: float,
) -> Result:
    """Return the result of users that are all in this process."""
    collected = collect(
        books,
        users,
        probes,
        deploys_began_at=[deploy.began_at for deploy in deploys],
        ended_at=ended_at,
        cut_seconds=settings.limits.cut_seconds,
    )
    return assemble(
        url=url,
        settings=settings,
        clock=books.clock,
        collected=collected,
        deploys=deploys,
        ended_at=ended_at,
    )


def assemble(
    *,
    url: str,
    settings: RunSettings,
    clock: RunClock,
    collected: Collected,
    deploys: Sequence[DeployRecord],
    ended_at: float,
    quiet_from: float = 0.0,
    load: LoadShare | None = None,
) -> Result:
    """Compare what was found with the SLA, and gather everything that the report draws."""
    latency = LatencySeries.from_bytes(collected.deliveries)
    returns = _find_returns(deploys, collected.timelines)
    evidence = Evidence(
        messages=collected.messages,
        wire=collected.wire,
        edits=collected.edits,
        gap_ms=_summarise_gaps(collected.timelines),
        delivery_ms=_split_delivery(latency, deploys, clock, quiet_from, returns),
        deploys=tuple(_describe_deploy(deploy, clock) for deploy in deploys),
        long_cuts=collected.long_cuts,
        trouble=collected.trouble,
        stock=collected.stock,
    )
    return Result(
        target=url,
        started_at_unix=clock.started_at_unix,
        seconds=ended_at,
        seed=settings.seed,
        clients=settings.clients,
        sessions=settings.sessions,
        messages=evidence.messages,
        wire=evidence.wire,
        edits=evidence.edits,
        gap_ms=evidence.gap_ms,
        delivery_ms=evidence.delivery_ms,
        deploys=tuple(evidence.deploys),
        sla=assess_sla(evidence, settings.limits, strict=settings.strict),
        weights=_list_weights(deploys, clock),
        connections=_list_connections(collected.timelines),
        latency=tuple(latency.buckets(max(0.25, ended_at / BUCKETS))),
        timelines=collected.timelines,
        long_cuts=collected.long_cuts,
        trouble=collected.trouble,
        load=load,
        stock=collected.stock,
    )


def _summarise_gaps(rows: Sequence[ClientTimeline]) -> GapMs:
    found = calculate_percentiles(row.gap_ms for row in rows)
    clients_cut = sum(any(span.colour is None for span in row.spans) for row in rows)
    return GapMs(found.p50 or 0.0, found.p99 or 0.0, found.max or 0.0, clients_cut)


def _split_delivery(
    latency: LatencySeries,
    deploys: Sequence[DeployRecord],
    clock: RunClock,
    quiet_from: float,
    returns: Sequence[float],
) -> DeliveryMs:
    moving = [
        (
            clock.from_unix(phase.began_at),
            returned_at if phase.name == COMMAND_PHASE else clock.from_unix(phase.ended_at),
        )
        for deploy, returned_at in zip(deploys, returns, strict=True)
        for phase in deploy.report.phases
        if phase.name in MOVING_PHASES
    ]
    deploying = zip((deploy.began_at for deploy in deploys), returns, strict=True)
    busy = [(0.0, quiet_from), *deploying]
    return DeliveryMs(
        quiet=latency.outside(busy), moving=latency.within(moving), quiet_from=quiet_from
    )


def _find_returns(deploys: Sequence[DeployRecord], rows: Sequence[ClientTimeline]) -> list[float]:
    """Return for each deploy when it was over for its clients: it ended, and none was cut.

    What clients of a library send while they are cut arrives when they are back.
    """
    cuts = [span for row in rows for span in row.spans if span.colour is None]
    begins = [deploy.began_at for deploy in deploys] + [math.inf]
    return [
        max(
            [
                deploy.ended_at,
                *(cut.ended_at for cut in cuts if deploy.began_at <= cut.began_at < following),
            ]
        )
        for deploy, following in zip(deploys, begins[1:], strict=True)
    ]


def _describe_deploy(deploy: DeployRecord, clock: RunClock) -> Deploy:
    report = deploy.report
    return Deploy(
        version=deploy.planned.version,
        expected=deploy.planned.expected,
        outcome=report.outcome,
        began_at=deploy.began_at,
        seconds=deploy.ended_at - deploy.began_at,
        bake_seconds=report.bake_seconds,
        rollback_seconds=report.rollback_seconds,
        phases=tuple(
            Phase(phase.name, clock.from_unix(phase.began_at), clock.from_unix(phase.ended_at))
            for phase in report.phases
        ),
        reason=report.reason,
    )


def _list_weights(deploys: Sequence[DeployRecord], clock: RunClock) -> tuple[WeightStep, ...]:
    return tuple(
        WeightStep(max(0.0, clock.from_unix(change.at)), change.blue, change.green)
        for deploy in deploys
        for change in deploy.report.weights
    )


def _list_connections(rows: Sequence[ClientTimeline]) -> tuple[ColourCount, ...]:
    series = count_by_colour(rows)
    stride = -(-len(series) // MAX_POINTS) or 1
    return tuple(ColourCount(round(at, 4), counts) for at, counts in series[::stride])
