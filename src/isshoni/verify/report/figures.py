"""The report's figures: what of a result is drawn, and where."""

from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from isshoni.report import charts
from isshoni.report.charts import LogScale
from isshoni.report.figures import (
    COLOURS,
    Band,
    Figure,
    Tick,
    draw_connections,
    draw_weights,
    lay_out_phases,
    name_kind,
    time_scale,
)
from isshoni.report.words import say_power_ms
from isshoni.verify.result import ClientTimeline, Result

MAX_TITLED_CUTS = 400
MIN_CUT_WIDTH = 2.5
"""A cut of a few milliseconds must not vanish between two pixels."""


def phase_bands(result: Result) -> list[Band]:
    """Lay out the phases of all deploys."""
    x = time_scale(result.seconds)
    return [
        band
        for deploy in result.deploys
        for band in lay_out_phases(x, ((p.name, p.began_at, p.ended_at) for p in deploy.phases))
    ]


def deploy_marks(result: Result) -> list[Tick]:
    """Mark where each deploy began."""
    x = time_scale(result.seconds)
    return [Tick(x(deploy.began_at) / 10, deploy.version) for deploy in result.deploys]


def clients_figure(result: Result) -> Figure:
    """Draw every client's connection as one thin row."""
    rows = sorted(result.timelines, key=_first_move)
    row = 7.0 if len(rows) <= 40 else 3.0 if len(rows) <= 250 else 1.0
    height = max(24.0, row * len(rows))
    thick = row - (0.0 if row == 1 else 1.0)
    x = time_scale(result.seconds)
    bars: dict[str | None, list[charts.Bar]] = {}
    cuts: list[tuple[charts.Bar, str]] = []
    for number, client in enumerate(rows):
        for span in client.spans:
            left, width = x(span.began_at), x(span.ended_at) - x(span.began_at)
            if span.colour is None:
                bar = (left, number * row, max(width, MIN_CUT_WIDTH), max(thick, 1.5))
                took = span.ended_at - span.began_at
                cuts.append((bar, f"{client.client_id}: cut for {took:.2f} s"))
            else:
                bars.setdefault(span.colour, []).append((left, number * row, width, thick))
    drawing = Markup("").join(
        [
            *(charts.path(f"fill {name_kind(c)}", charts.bars_path(b)) for c, b in bars.items()),
            *(charts.path("fill cut", charts.bars_path([b]), t) for b, t in cuts[:MAX_TITLED_CUTS]),
            charts.path("fill cut", charts.bars_path(b for b, _ in cuts[MAX_TITLED_CUTS:])),
        ]
    )
    legend = [(colour, f"served by {colour}") for colour in COLOURS]
    return Figure(
        name="clients",
        title="Every client’s connection",
        note=f"{len(rows):,} clients, one row each, those of a session together.",
        height=height,
        drawing=drawing,
        legend=(*legend, ("cut", "cut")),
    )


def weights_figure(result: Result) -> Figure:
    """Draw the verified weights as steps."""
    weights = [(step.at, {"blue": step.blue, "green": step.green}) for step in result.weights]
    return draw_weights(time_scale(result.seconds), weights)


def connections_figure(result: Result) -> Figure:
    """Draw the connections per colour as stacked areas."""
    counts = [(count.at, count.connections) for count in result.connections]
    note = "Open and restored, as the clients count them."
    return draw_connections(time_scale(result.seconds), counts, note)


def latency_figure(result: Result) -> Figure:
    """Draw p50 and p99 of delivery over time on a logarithmic axis."""
    height = 150.0
    seen = [value for bucket in result.latency for value in (bucket.p50, bucket.p99) if value > 0]
    low, high = _decades(seen)
    x, y = time_scale(result.seconds), LogScale(low, high, height - 2, 2)
    half = _half_bucket(result)
    lines = [
        charts.path(
            f"line {kind}",
            charts.line_path([(x(b.at + half), y(getattr(b, kind))) for b in result.latency]),
        )
        for kind in ("p50", "p99")
    ]
    ticks = charts.pick_log_ticks(low, high)
    return Figure(
        name="latency",
        title="Delivery of a message",
        note="From typing it to its reaching each person, by when it was typed.",
        height=height,
        drawing=Markup("").join(lines),
        y_ticks=tuple(Tick(y(value) / height * 100, say_power_ms(value)) for value in ticks),
        legend=(("p50", "half arrive within (p50)"), ("p99", "99 % arrive within (p99)")),
    )


GAP_EDGES_MS = (0.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0)


def gap_bins(result: Result) -> list[tuple[str, int, float, str]]:
    """Sort the clients by their gap: (words, clients, share of the most in %, kind)."""
    gaps = [client.gap_ms for client in result.timelines]
    bins = [("never cut", sum(gap <= 0 for gap in gaps), "good")]
    for low, high in pairwise(GAP_EDGES_MS):
        words = f"up to {say_power_ms(high)}"
        bins.append((words, sum(low < gap <= high for gap in gaps), "cut"))
    bins.append(("over 10 s", sum(gap > GAP_EDGES_MS[-1] for gap in gaps), "cut"))
    while len(bins) > 1 and bins[-1][1] == 0:
        bins.pop()
    most = max((count for _, count, _ in bins), default=0) or 1
    return [(words, count, count / most * 100, kind) for words, count, kind in bins]


def _first_move(client: ClientTimeline) -> tuple[float, str, str]:
    moved_at = client.spans[1].began_at if len(client.spans) > 1 else 0.0
    return (round(moved_at, 1), client.session_id, client.client_id)


def _decades(values: Sequence[float]) -> tuple[float, float]:
    low, high = 1.0, 100.0
    while values and low > min(values) and low > 0.01:
        low /= 10
    while values and high < max(values):
        high *= 10
    return low, high


def _half_bucket(result: Result) -> float:
    starts = [bucket.at for bucket in result.latency]
    steps = [b - a for a, b in pairwise(starts)]
    return min(steps, default=0.0) / 2
