"""Make the result of a run from its books. Pure: no I/O, no waiting."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from isshoni.verify.attribution import Probe, attribute, explain
from isshoni.verify.clock import RunClock
from isshoni.verify.edits import EditFindings
from isshoni.verify.gaps import Span, calculate_gap_ms, count_by_colour, deploy_windows
from isshoni.verify.judge import ChatFindings, judge
from isshoni.verify.latency import LatencySeries, Window
from isshoni.verify.percentiles import calculate_percentiles
from isshoni.verify.ports import DeployReport
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
from isshoni.verify.settings import PlannedDeploy, RunSettings
from isshoni.verify.sla import Evidence, assess_sla
from isshoni.verify.users import Books, SyntheticUser

MOVING_PHASES = ("canary", "migrate", "rollback")
"""The phases in which live sessions move."""
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
    """Compare the books with the SLA, and gather everything that the report draws."""
    for user in users:
        user.timeline.end(ended_at)
    windows = deploy_windows([deploy.began_at for deploy in deploys], ended_at)
    rows = tuple(_describe_client(user, windows) for user in users)
    chat = judge(books.chat)
    evidence = Evidence(
        messages=_count_messages(chat),
        wire=WireMessages(chat.wire.lost, chat.wire.doubled, chat.wire.reordered),
        edits=_count_edits(books.edits.judge()),
        gap_ms=_summarise_gaps(rows),
        delivery_ms=_split_delivery(books.chat.latency, deploys, books.clock),
        deploys=tuple(_describe_deploy(deploy, books.clock) for deploy in deploys),
        long_cuts=_find_long_cuts(users, probes, settings.limits.cut_seconds),
        trouble=tuple(books.trouble),
    )
    return Result(
        target=url,
        started_at_unix=books.clock.started_at_unix,
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
        weights=_list_weights(deploys, books.clock),
        connections=_list_connections(users),
        latency=tuple(books.chat.latency.buckets(max(0.25, ended_at / BUCKETS))),
        timelines=rows,
        long_cuts=tuple(evidence.long_cuts),
        trouble=tuple(books.trouble),
    )


def _count_messages(found: ChatFindings) -> Messages:
    return Messages(
        sent=found.sent,
        acked=found.acked,
        delivered=found.delivered,
        lost=found.lost,
        doubled=found.doubled,
        reordered=found.reordered,
        foreign=found.foreign,
    )


def _count_edits(found: EditFindings) -> Edits:
    diverged = found.diverged_sessions
    return Edits(found.sent, found.saved, found.lost, len(diverged), diverged, found.foreign)


def _describe_client(user: SyntheticUser, windows: Iterable[Window]) -> ClientTimeline:
    return ClientTimeline(
        client_id=user.client_id,
        session_id=user.session_id,
        gap_ms=round(calculate_gap_ms(user.timeline, windows), 3),
        spans=tuple(_describe_span(span) for span in user.timeline.spans),
    )


def _describe_span(span: Span) -> ClientSpan:
    return ClientSpan(round(span.began_at, 4), round(span.ended_at, 4), span.colour, span.version)


def _summarise_gaps(rows: Sequence[ClientTimeline]) -> GapMs:
    found = calculate_percentiles(row.gap_ms for row in rows)
    clients_cut = sum(any(span.colour is None for span in row.spans) for row in rows)
    return GapMs(found.p50 or 0.0, found.p99 or 0.0, found.max or 0.0, clients_cut)


def _split_delivery(
    latency: LatencySeries, deploys: Sequence[DeployRecord], clock: RunClock
) -> DeliveryMs:
    moving = [
        (clock.from_unix(phase.began_at), clock.from_unix(phase.ended_at))
        for deploy in deploys
        for phase in deploy.report.phases
        if phase.name in MOVING_PHASES
    ]
    deploying = [(deploy.began_at, deploy.ended_at) for deploy in deploys]
    return DeliveryMs(quiet=latency.outside(deploying), moving=latency.within(moving))


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


def _find_long_cuts(
    users: Sequence[SyntheticUser], probes: Sequence[Probe], limit_seconds: float
) -> tuple[LongCut, ...]:
    found = []
    for user in users:
        for cut in user.timeline.cuts:
            if cut.seconds > limit_seconds:
                part = attribute(cut, probes)
                words = explain(cut, probes, part)
                found.append(LongCut(user.client_id, cut.began_at, cut.seconds, part, words))
    return tuple(found)


def _list_weights(deploys: Sequence[DeployRecord], clock: RunClock) -> tuple[WeightStep, ...]:
    return tuple(
        WeightStep(max(0.0, clock.from_unix(change.at)), change.blue, change.green)
        for deploy in deploys
        for change in deploy.report.weights
    )


def _list_connections(users: Sequence[SyntheticUser]) -> tuple[ColourCount, ...]:
    series = count_by_colour(user.timeline for user in users)
    stride = -(-len(series) // MAX_POINTS) or 1
    return tuple(ColourCount(round(at, 4), counts) for at, counts in series[::stride])
