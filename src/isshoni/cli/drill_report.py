"""The verdict of a drill: what each act promised, and what was found."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from isshoni.cli.output import console, styled, table
from isshoni.verify.percentiles import Percentiles, calculate_percentiles
from isshoni.verify.result import ClientSpan, Result

PLANNED_GAP_MS = 0.0
EMERGENCY_P50_MS = 2_000.0
EMERGENCY_P99_MS = 10_000.0
_WRITE_SECONDS = 1.0
"""A message's time is when a server received it; it was written, and acknowledged, after that."""


class Promise(msgspec.Struct, frozen=True):
    """One promise of a drill."""

    name: str
    promised: str
    found: str
    met: bool


class Act(msgspec.Struct, frozen=True):
    """One act of a drill, with the time that its clients had no connection."""

    name: str
    emergency: bool
    outcome: str
    seconds: float
    gap_ms: Percentiles
    clients_cut: int
    reports: tuple[dict[str, Any], ...] = ()
    reason: str | None = None
    engine_began_seconds: float | None = None
    """Until the engine of its first failover began; a busy machine starts a command slowly."""


class Verdict(msgspec.Struct, frozen=True):
    """What a drill has found."""

    met: bool
    clients: int
    messages: dict[str, int]
    edits: dict[str, int]
    acts: tuple[Act, ...]
    promises: tuple[Promise, ...]
    trouble: tuple[str, ...]
    emergency_gap_ms: Percentiles = Percentiles()
    """Over all emergencies and clients: the time without a connection, from the kill."""


def judge(
    result: Result, reports: Sequence[Sequence[dict[str, Any]]], emergencies: Sequence[bool]
) -> Verdict:
    """Compare a run with the promises of a failover."""
    acts = tuple(_list_acts(result, reports, emergencies))
    promises = (*_judge_acts(acts), *_judge_ledger(result))
    messages, edits = result.messages, result.edits
    return Verdict(
        met=all(promise.met for promise in promises) and not result.trouble,
        clients=result.clients,
        messages=_count(messages, ("sent", "acked", "delivered", "lost", "doubled", "reordered")),
        edits=_count(edits, ("sent", "saved", "lost", "diverged_sessions")),
        acts=acts,
        promises=promises,
        trouble=result.trouble,
        emergency_gap_ms=calculate_percentiles(_list_emergency_gaps(result, emergencies)),
    )


def _list_emergency_gaps(result: Result, emergencies: Sequence[bool]) -> list[float]:
    starts = [deploy.began_at for deploy in result.deploys]
    ends = [*starts[1:], result.seconds]
    return [
        _measure_gap(each.spans, began, end)
        for began, end, emergency in zip(starts, ends, emergencies, strict=True)
        for each in result.timelines
        if emergency
    ]


def _count(found: msgspec.Struct, names: Sequence[str]) -> dict[str, int]:
    return {name: getattr(found, name) for name in names}


def _list_acts(
    result: Result, reports: Sequence[Sequence[dict[str, Any]]], emergencies: Sequence[bool]
) -> Iterator[Act]:
    starts = [deploy.began_at for deploy in result.deploys]
    ends = [*starts[1:], result.seconds]
    for deploy, end, its, emergency in zip(result.deploys, ends, reports, emergencies, strict=True):
        gaps = [_measure_gap(each.spans, deploy.began_at, end) for each in result.timelines]
        yield Act(
            name=deploy.version,
            emergency=emergency,
            outcome=deploy.outcome,
            seconds=deploy.seconds,
            gap_ms=calculate_percentiles(gaps),
            clients_cut=sum(gap > 0 for gap in gaps),
            reports=tuple(its),
            reason=deploy.reason,
            engine_began_seconds=_find_delay(its, result.started_at_unix + deploy.began_at),
        )


def _find_delay(reports: Sequence[dict[str, Any]], began: float) -> float | None:
    return round(reports[0]["began"] - began, 3) if reports else None


def _measure_gap(spans: Sequence[ClientSpan], began_at: float, ended_at: float) -> float:
    """Return the milliseconds that a client had no connection in a part of the run."""
    cuts = (each for each in spans if each.colour is None)
    return 1000 * sum(
        max(0.0, min(cut.ended_at, ended_at) - max(cut.began_at, began_at)) for cut in cuts
    )


def _judge_acts(acts: Sequence[Act]) -> Iterator[Promise]:
    for number, act in enumerate(acts, 1):
        p50, p99, most = (
            value or 0.0 for value in (act.gap_ms.p50, act.gap_ms.p99, act.gap_ms.max)
        )
        name = f"{number}. {act.name}"
        ends_well = act.outcome == "promoted"
        found = act.outcome + (f" ({act.reason})" if act.reason and not ends_well else "")
        yield Promise(name, "it ends as expected", found, ends_well)
        # Before the last one: a failover whose promotion the drill lets fail.
        yield from (_judge_failing(name, report) for report in act.reports[:-1])
        shown = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, most {most:.0f} ms, {act.clients_cut} cut"
        if act.emergency:
            if act.engine_began_seconds is not None:
                shown += f"; the engine began after {act.engine_began_seconds:.1f} s"
            kept = p50 <= EMERGENCY_P50_MS and p99 <= EMERGENCY_P99_MS
            yield Promise(name, "without a connection: p50 ≤ 2 s, p99 ≤ 10 s", shown, kept)
            yield from (_judge_bound(name, report) for report in act.reports)
        else:
            yield Promise(name, "without a connection: 0 ms", shown, most <= PLANNED_GAP_MS)


def _judge_failing(name: str, report: dict[str, Any]) -> Promise:
    """Return whether a failover that cannot promote leaves the serving region as it was."""
    outcome, reason = report["outcome"], report["reason"]
    promised = "a promotion that fails: the old region writes again"
    return Promise(name, promised, f"{outcome} ({reason})", outcome == "back")


def _judge_bound(name: str, report: dict[str, Any]) -> Promise:
    """Compare what the standby lacked with the bound that `isshoni failover` printed."""
    lacked, bound = report["lacked"], (report["missing_at_most"] or {}).get("seconds")
    oldest, read_at = lacked["oldest_at"], report["steps"][0]["ended"]
    found = f"it lacked {lacked['messages']} messages and {lacked['edits']} edits"
    if oldest is not None:
        found += f", the oldest of {read_at - oldest:.2f} s before"
    if bound is None:
        return Promise(name, "the bound on what is missing is known", found, oldest is None)
    met = oldest is None or oldest >= read_at - bound - _WRITE_SECONDS
    promised = f"it lacks only what was acknowledged in the last {bound:.2f} s"
    return Promise(name, promised, found, met)


def _judge_ledger(result: Result) -> Iterator[Promise]:
    messages, edits = result.messages, result.edits
    for name in ("lost", "doubled", "reordered"):
        number = getattr(messages, name)
        yield Promise(f"messages {name}", "0", f"{number} of {messages.acked} acked", number == 0)
    yield Promise("edits lost", "0", f"{edits.lost} of {edits.saved} saved", edits.lost == 0)
    apart = edits.diverged_sessions
    yield Promise("canvases that differ", "0", str(apart), apart == 0)


def print_verdict(verdict: Verdict) -> None:
    """Print the promises, what broke them, and the verdict."""
    rows = table("", "", "promise", "found", "")
    for promise in verdict.promises:
        mark = "kept" if promise.met else "BROKEN"
        rows.add_row(promise.name, promise.promised, promise.found, mark)
    console.print(rows)
    number = sum(act.emergency for act in verdict.acts)
    gap = verdict.emergency_gap_ms
    if number > 1 and gap.p50 is not None:
        console.print(
            f"without a connection in {number} emergencies, over all clients: "
            f"p50 {gap.p50:.0f} ms, p99 {gap.p99:.0f} ms, most {gap.max:.0f} ms"
        )
    for trouble in verdict.trouble:
        console.print(trouble, style="yellow")
    met = ("every promise was kept", "bold green") if verdict.met else ("BROKEN", "bold red")
    console.print(styled(met, f", with {verdict.clients} clients"))
