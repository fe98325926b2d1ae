"""Render a rollout's report as one HTML file. Everything in it is escaped."""

from collections.abc import Sequence
from datetime import UTC, datetime

from isshoni.engine.report import RolloutReport
from isshoni.engine.rollout_report.document import GapBucket, ReportDocument
from isshoni.report import words
from isshoni.report.figures import (
    Band,
    Figure,
    draw_connections,
    draw_weights,
    lay_out_phases,
    time_scale,
    time_ticks,
)
from isshoni.report.templates import open_templates

KeyFigure = tuple[str, str, str, bool]
"""Label, value, a note under it, whether it is bad."""
GapBar = tuple[str, int, float]
"""How long, how often, and the bar's width in percent."""

HEADLINES = {
    "promoted": "{release} is live.",
    "rolled_back": "{release} was rolled back.",
    "refused": "{release} was not started.",
    "stuck": "{release} is stuck: an operator must check.",
    "running": "{release} is being rolled out.",
}

_templates = open_templates("isshoni.engine.rollout_report")


def render_rollout(document: ReportDocument) -> str:
    """Return the whole page: no scripts, no fonts, nothing fetched."""
    report = document.report
    began = datetime.fromtimestamp(report.began, UTC)
    return _templates.get_template("rollout.html.j2").render(
        document=document,
        report=report,
        began=began.strftime("%Y-%m-%d %H:%M:%S UTC"),
        headline=HEADLINES[report.outcome].format(release=report.release_name),
        key_figures=list_key_figures(document),
        figures=draw_figures(document),
        bands=lay_out_bands(report),
        marks=[],
        x_ticks=time_ticks(report.seconds),
        counter_names=list_counters(document),
        gap_bars=draw_gaps(document.felt.gaps),
    )


def list_key_figures(document: ReportDocument) -> list[KeyFigure]:
    """Return the figures that are shown first: durations, and what clients measured."""
    report, felt = document.report, document.felt
    figures = [
        ("Took", words.say_seconds(report.seconds), _say_watching(report), False),
        ("Moved", f"{felt.moved:,}", f"of {felt.told:,} asked", False),
        ("Stragglers", f"{felt.closed:,}", "closed, reconnected by themselves", felt.closed > 0),
    ]
    clocks = report.rollback_seconds
    if clocks is not None:
        traffic = "new connections on the stable colour"
        figures += [
            ("Traffic on stable", words.say_seconds(clocks.new_connections), traffic, False),
            ("Sessions on stable", words.say_seconds(clocks.last_session), "the last one", False),
        ]
    return figures


def draw_figures(document: ReportDocument) -> list[Figure]:
    """Draw weights and connections over the rollout's time."""
    report = document.report
    x = time_scale(report.seconds)
    weights = [(w.at - report.began, {"blue": w.blue, "green": w.green}) for w in report.weights]
    counts: list[tuple[float, dict[str, int]]] = [
        (reading.at - report.began, {str(c): n for c, n in reading.connections.items()})
        for reading in document.readings
        if reading.connections
    ]
    figures = [draw_weights(x, weights)] if weights else []
    if counts:
        note = "Open connections, as the backends and the load balancer count them."
        figures.append(draw_connections(x, counts, note))
    return figures


def lay_out_bands(report: RolloutReport) -> list[Band]:
    """Return the phases as bands of the chart."""
    phases = [(p.name, p.began - report.began, p.ended - report.began) for p in report.phases]
    return lay_out_phases(time_scale(report.seconds), phases)


def list_counters(document: ReportDocument) -> list[str]:
    """Return the names of the counters that grew, in the order of the backends."""
    gained = document.felt.gained.values()
    names = dict.fromkeys(name for colour in gained for name in colour)
    return [name for name in names if any(colour.get(name) for colour in gained)]


def draw_gaps(gaps: Sequence[GapBucket]) -> list[GapBar]:
    """Return the bars of the times without a connection, up to the longest that occurred."""
    last = max((number for number, gap in enumerate(gaps) if gap.count), default=-1)
    most = max((gap.count for gap in gaps), default=0)
    return [
        (_say_bound(gaps, number), gap.count, 100 * gap.count / most)
        for number, gap in enumerate(gaps[: last + 1])
    ]


def _say_bound(gaps: Sequence[GapBucket], number: int) -> str:
    bound = gaps[number].up_to_seconds
    if bound is None:
        return f"over {gaps[number - 1].up_to_seconds:g} s"
    return f"up to {bound:g} s" if bound >= 1 else f"up to {1000 * bound:g} ms"


def _say_watching(report: RolloutReport) -> str:
    return f"{words.say_seconds(report.bake_seconds)} of it watching"
