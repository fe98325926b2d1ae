"""Judge what stock clients saw; the result has the same form as for our own clients."""

from collections.abc import Iterable, Sequence

from isshoni.verify.collected import Collected
from isshoni.verify.gaps import calculate_gap_ms, deploy_windows
from isshoni.verify.judge import judge
from isshoni.verify.latency import Window
from isshoni.verify.result import (
    ClientSpan,
    ClientTimeline,
    Edits,
    LongCut,
    Messages,
    StockFindings,
    WireMessages,
)
from isshoni.verify.stock.attribution import attribute_stock
from isshoni.verify.stock.recorder import Recorder, StockUser
from isshoni.verify.stock.settings import LIBRARIES, StockSettings


def collect_stock(
    recorder: Recorder,
    stock: StockSettings,
    *,
    deploys_began_at: Sequence[float],
    ended_at: float,
    cut_seconds: float,
    cpu_seconds: float,
) -> Collected:
    """Return the judgement of what stock clients recorded."""
    users = list(recorder.users.values())
    for user in users:
        user.timeline.end(ended_at)
    windows = deploy_windows(deploys_began_at, ended_at)
    found = judge(recorder.ledger)
    differing = recorder.differing_rooms()
    return Collected(
        messages=Messages(
            sent=found.sent,
            acked=found.acked,
            delivered=found.delivered,
            lost=found.lost,
            doubled=found.doubled,
            reordered=found.reordered,
            foreign=found.foreign + recorder.count_unsent(),
        ),
        wire=WireMessages(),
        edits=Edits(0, 0, 0, len(differing), differing),
        timelines=tuple(_describe(user, windows) for user in users),
        long_cuts=tuple(_find_long_cuts(users, cut_seconds)),
        trouble=tuple(recorder.trouble),
        deliveries=recorder.ledger.latency.to_bytes(),
        cpu_seconds=cpu_seconds,
        stock=_describe_findings(recorder, stock, found.acked),
    )


def _describe_findings(recorder: Recorder, stock: StockSettings, taken: int) -> StockFindings:
    assert recorder.trial is not None
    tally = recorder.tally
    return StockFindings(
        kind=stock.kind,
        library=LIBRARIES[stock.kind],
        reach=recorder.trial.reach,
        judged=recorder.trial.describe(),
        closes=sum(tally.closes.values()),
        closes_by_code=dict(sorted(tally.closes.items())),
        reconnects=tally.reconnects,
        is_document=stock.kind.is_document,
        unanswered=max(0, taken - tally.acknowledged) if recorder.trial.acknowledged else None,
        recovered=tally.recovered,
        refused=tally.refused,
        removals=tally.removals,
    )


def _describe(user: StockUser, windows: Iterable[Window]) -> ClientTimeline:
    return ClientTimeline(
        client_id=user.name,
        session_id=user.room,
        gap_ms=round(calculate_gap_ms(user.timeline, windows), 3),
        spans=tuple(
            ClientSpan(round(span.began_at, 4), round(span.ended_at, 4), span.colour, span.version)
            for span in user.timeline.spans
        ),
    )


def _find_long_cuts(users: Iterable[StockUser], limit_seconds: float) -> Iterable[LongCut]:
    for user in users:
        for cut in user.timeline.cuts:
            if cut.seconds > limit_seconds:
                part, words = attribute_stock(cut, user.attempts)
                yield LongCut(user.name, cut.began_at, cut.seconds, part, words)
