"""Render a result as one HTML file. Everything from the run is escaped."""

from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined

from isshoni.verify.report import figures, words
from isshoni.verify.result import Result

KeyFigure = tuple[str, str, str, bool]
"""Label, value, a note under it, whether it is bad."""

_templates = Environment(
    loader=PackageLoader("isshoni.verify", "report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters.update(
    ms=words.say_ms, seconds=words.say_seconds, count=words.say_count, clock=words.say_clock
)


def render_report(result: Result) -> str:
    """Give the whole page: no scripts, no fonts, nothing fetched."""
    started = datetime.fromtimestamp(result.started_at_unix, UTC)
    return _templates.get_template("report.html.j2").render(
        result=result,
        started=started.strftime("%Y-%m-%d %H:%M UTC"),
        headline=_headline(result),
        summary=_summary(result),
        key_figures=_key_figures(result),
        figures=_figures(result),
        bands=figures.phase_bands(result),
        marks=figures.deploy_marks(result),
        x_ticks=figures.time_ticks(result),
        gap_bins=figures.gap_bins(result),
    )


def _figures(result: Result) -> list[figures.Figure]:
    weights = [figures.weights_figure(result)] if result.weights else []
    return [
        *weights,
        figures.clients_figure(result),
        figures.connections_figure(result),
        figures.latency_figure(result),
    ]


def _headline(result: Result) -> str:
    if not result.sla.met:
        return "The SLA was not met."
    if result.deploys and result.gap_ms.clients_cut == 0:
        return "Nobody noticed."
    return "The SLA was met."


def _summary(result: Result) -> str:
    deploys = len(result.deploys)
    through = {0: "with no deploy", 1: "through one deploy"}.get(
        deploys, f"through {deploys} deploys"
    )
    people = f"{result.clients:,} synthetic users in {result.sessions:,} sessions"
    return (
        f"{people} talked and drew {through}: {result.messages.sent:,} messages, "
        f"{result.messages.delivered:,} deliveries, {result.edits.sent:,} edits."
    )


def _key_figures(result: Result) -> list[KeyFigure]:
    m, e, gap, delivery = result.messages, result.edits, result.gap_ms, result.delivery_ms
    quiet = f"quiet {words.say_ms(delivery.quiet.p99)}"
    return [
        ("Messages lost", f"{m.lost:,}", f"of {m.acked:,} acknowledged", m.lost > 0),
        ("Doubled", f"{m.doubled:,}", "given twice", m.doubled > 0),
        ("Reordered", f"{m.reordered:,}", "out of order", m.reordered > 0),
        ("Edits lost", f"{e.lost:,}", f"of {e.saved:,} saved", e.lost > 0),
        ("Clients cut", f"{gap.clients_cut:,}", f"of {result.clients:,}", gap.clients_cut > 0),
        ("Longest gap", words.say_ms(gap.max), "without a connection", gap.max >= 5000),
        _delivery_figure(result, quiet),
    ]


def _delivery_figure(result: Result, quiet: str) -> KeyFigure:
    moving = result.delivery_ms.moving.p99
    if moving is None:
        return ("Delivery p99", words.say_ms(result.delivery_ms.quiet.p99), "quiet", False)
    return ("Delivery p99", words.say_ms(moving), f"moving; {quiet}", False)
