"""The promises, and whether a run kept them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from isshoni.verify.ports import COMMAND_PHASE
from isshoni.verify.result import (
    DeliveryMs,
    Deploy,
    Edits,
    GapMs,
    Limit,
    LongCut,
    Messages,
    Sla,
    StockFindings,
    WireMessages,
)


@dataclass(frozen=True)
class SlaLimits:
    """What users are promised, and (`strict_`) our own stricter targets."""

    gap_seconds: float = 5.0
    """Lost connection per deploy, for every client; it must stay below this."""
    cut_seconds: float = 10.0
    """A single cut longer than this is a failed run."""
    rollback_seconds: float = 60.0
    strict_gap_ms: float = 0.0
    strict_moving_added_ms: float = 100.0
    """p99 of delivery while sessions move, over the quiet p99."""


@dataclass(frozen=True)
class Evidence:
    """Everything that the verdict is based on."""

    messages: Messages
    wire: WireMessages
    edits: Edits
    gap_ms: GapMs
    delivery_ms: DeliveryMs
    deploys: Sequence[Deploy] = ()
    long_cuts: Sequence[LongCut] = ()
    trouble: Sequence[str] = ()
    stock: StockFindings | None = None


def assess_sla(evidence: Evidence, limits: SlaLimits, *, strict: bool = False) -> Sla:
    """Compare a run with the promises; the strict ones count only when `strict`."""
    data_limits = _data_limits if evidence.stock is None else _stock_limits
    judged = (
        *data_limits(evidence),
        *_time_limits(evidence, limits),
        *_deploy_limits(evidence, limits),
        *_strict_limits(evidence, limits),
    )
    broken = [limit for limit in judged if not limit.met and (strict or not limit.strict)]
    sentences = [_describe_failure(limit) for limit in broken]
    sentences += [
        f"{cut.client_id} was cut for {cut.seconds:.1f} s: {cut.explanation}."
        for cut in evidence.long_cuts
    ]
    sentences += evidence.trouble
    return Sla(met=not sentences, failed=tuple(sentences), limits=judged)


def say_verdict(limit: Limit, sla: Sla) -> str:
    """Return `kept`, `broken`, or `missed` for a target of our own that does not count."""
    if limit.met:
        return "kept"
    # A target of our own counts only in a strict run, where it is among what failed.
    counts = not limit.strict or _describe_failure(limit) in sla.failed
    return "broken" if counts else "missed"


def _describe_failure(limit: Limit) -> str:
    return f"{limit.name}: {limit.found}; promised: {limit.promise}."


def _none(name: str, count: int, unit: str) -> Limit:
    return Limit(name, "none", f"{count:,} {unit}" if count else "none", count == 0)


def _data_limits(evidence: Evidence) -> Iterator[Limit]:
    messages = evidence.messages
    yield _none("Messages lost", messages.lost, f"of {messages.acked:,} acknowledged")
    yield _none("Messages doubled", messages.doubled, f"of {messages.sent:,} sent")
    yield _none("Messages reordered", messages.reordered, f"of {messages.sent:,} sent")
    yield _none("Messages that no user sent", messages.foreign, "delivered")
    yield _none("Messages not acknowledged", messages.sent - messages.acked, "at the end")
    yield from _own_limits(evidence)


def _own_limits(evidence: Evidence) -> Iterator[Limit]:
    wire, edits = evidence.wire, evidence.edits
    yield _none("Events skipped on a connection", wire.lost, "(repaired by the clients)")
    yield _none("Events repeated on a connection", wire.doubled, "(ignored by the clients)")
    yield _none("Events late on a connection", wire.reordered, "(put in order by the clients)")
    yield _none("Edits lost", edits.lost, f"of {edits.saved:,} saved")
    yield _none("Edits not saved", edits.sent - edits.saved, "at the end")
    yield _none("Elements that no user drew", edits.foreign, "on the canvases")
    yield _none("Sessions whose canvases differ", edits.diverged_sessions, "at the end")


def _stock_limits(evidence: Evidence) -> Iterator[Limit]:
    """Yield what an application of any kind must keep, as far as its clients can see it."""
    messages, stock = evidence.messages, evidence.stock
    assert stock is not None
    yield _none("Messages lost", messages.lost, f"of {messages.acked:,} that the library took")
    yield _none("Messages doubled", messages.doubled, f"of {messages.sent:,} sent")
    yield _none("Messages reordered", messages.reordered, f"of {messages.sent:,} sent")
    yield _none("Messages that no client sent like that", messages.foreign, "delivered")
    if stock.unanswered is not None:
        yield _none("Messages not acknowledged", stock.unanswered, f"of {messages.acked:,}")
    if stock.is_document:
        rooms = evidence.edits.diverged_sessions
        yield _none("Rooms whose documents differ", rooms, "at the end")


def _time_limits(evidence: Evidence, limits: SlaLimits) -> Iterator[Limit]:
    gap = evidence.gap_ms
    yield Limit(
        name="Lost connection per deploy",
        promise=f"below {limits.gap_seconds:g} s for every client",
        found=f"{gap.max / 1000:.2f} s at worst, clients cut: {gap.clients_cut:,}",
        met=gap.max < limits.gap_seconds * 1000,
    )
    yield Limit(
        name="Longest single cut",
        promise=f"at most {limits.cut_seconds:g} s",
        found=f"{len(evidence.long_cuts):,} longer" if evidence.long_cuts else "none longer",
        met=not evidence.long_cuts,
    )


def _deploy_limits(evidence: Evidence, limits: SlaLimits) -> Iterator[Limit]:
    for deploy in evidence.deploys:
        is_command = any(phase.name == COMMAND_PHASE for phase in deploy.phases)
        yield Limit(
            name=f"Command {deploy.version}" if is_command else f"Deploy of {deploy.version}",
            promise=deploy.expected,
            found=deploy.outcome + (f" ({deploy.reason})" if deploy.reason else ""),
            met=deploy.outcome == deploy.expected,
        )
        if deploy.rollback_seconds is not None:
            yield Limit(
                name=f"Rollback of {deploy.version}",
                promise=f"below {limits.rollback_seconds:g} s",
                found=f"{deploy.rollback_seconds:.1f} s",
                met=deploy.rollback_seconds < limits.rollback_seconds,
            )


def _strict_limits(evidence: Evidence, limits: SlaLimits) -> Iterator[Limit]:
    gap = evidence.gap_ms
    yield Limit(
        name="Gap through planned deploys",
        promise=f"{limits.strict_gap_ms:g} ms for every client",
        found=f"{gap.max:.0f} ms at worst",
        met=gap.max <= limits.strict_gap_ms,
        strict=True,
    )
    if evidence.stock is not None:
        closes = evidence.stock.closes
        yield replace(_none("Connections closed", closes, "while clients kept them"), strict=True)
    quiet, moving = evidence.delivery_ms.quiet.p99, evidence.delivery_ms.moving.p99
    if quiet is not None and moving is not None:
        yield Limit(
            name="Delay added while sessions move",
            promise=f"p99 at most {limits.strict_moving_added_ms:g} ms over the quiet p99",
            found=f"{moving - quiet:+.1f} ms",
            met=moving - quiet <= limits.strict_moving_added_ms,
            strict=True,
        )
