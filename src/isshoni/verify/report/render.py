"""Render a result as one HTML file. Everything from the run is escaped."""

from datetime import UTC, datetime

from isshoni.plurals import count
from isshoni.report import words
from isshoni.report.figures import Figure, time_ticks
from isshoni.report.templates import open_templates
from isshoni.verify.report import figures
from isshoni.verify.result import Result
from isshoni.verify.sla import say_verdict

KeyFigure = tuple[str, str, str, bool]
"""Label, value, a note under it, whether it is bad."""

_templates = open_templates("isshoni.verify.report")


def render_report(result: Result) -> str:
    """Return the whole page: no scripts, no fonts, nothing fetched."""
    started = datetime.fromtimestamp(result.started_at_unix, UTC)
    return _templates.get_template("verify.html.j2").render(
        result=result,
        started=started.strftime("%Y-%m-%d %H:%M UTC"),
        headline=_headline(result),
        summary=_summary(result),
        key_figures=_key_figures(result),
        figures=_figures(result),
        bands=figures.phase_bands(result),
        marks=figures.deploy_marks(result),
        x_ticks=time_ticks(result.seconds),
        gap_bins=figures.gap_bins(result),
        promises=[(limit, say_verdict(limit, result.sla)) for limit in result.sla.limits],
    )


def _figures(result: Result) -> list[Figure]:
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
    if result.gap_ms.clients_cut == 0:
        return "The SLA was met, and no client was cut."
    return f"The SLA was met, with gaps of up to {words.say_ms(result.gap_ms.max)}."


def _summary(result: Result) -> str:
    deploys = len(result.deploys)
    through = {0: "with no deploy", 1: "through one deploy"}.get(
        deploys, f"through {deploys} deploys"
    )
    counts = f"{_users(result)} {through}: {_counts(result)}."
    missed = [limit for limit in result.sla.limits if say_verdict(limit, result.sla) == "missed"]
    targets = [f"{limit.name}: {limit.found} (target: {limit.promise})." for limit in missed]
    if targets:
        targets.insert(0, "Stricter targets of our own were missed.")
    return " ".join([counts, *targets])


def _users(result: Result) -> str:
    if result.stock is not None:
        clients = f"{count(result.clients, 'stock client')} ({result.stock.library})"
        return f"{clients} in {count(result.sessions, 'room')} talked"
    return (
        f"{count(result.clients, 'synthetic user')} in {count(result.sessions, 'session')} "
        "talked and drew"
    )


def _counts(result: Result) -> str:
    messages = (
        f"{count(result.messages.sent, 'message')}, "
        f"{count(result.messages.delivered, 'delivery', 'deliveries')}"
    )
    return messages if result.stock is not None else f"{messages}, {result.edits.sent:,} edits"


def _key_figures(result: Result) -> list[KeyFigure]:
    m, gap, delivery = result.messages, result.gap_ms, result.delivery_ms
    quiet = f"quiet {words.say_ms(delivery.quiet.p99)}"
    return [
        ("Messages lost", f"{m.lost:,}", f"of {m.acked:,} acknowledged", m.lost > 0),
        ("Doubled", f"{m.doubled:,}", "delivered twice", m.doubled > 0),
        ("Reordered", f"{m.reordered:,}", "out of order", m.reordered > 0),
        _third_figure(result),
        ("Clients cut", f"{gap.clients_cut:,}", f"of {result.clients:,}", gap.clients_cut > 0),
        ("Longest gap", words.say_ms(gap.max), "without a connection", gap.max >= 5000),
        _delivery_figure(result, quiet),
    ]


def _third_figure(result: Result) -> KeyFigure:
    if result.stock is not None:
        closes = result.stock.closes
        note = f"{result.stock.reconnects:,} reconnects"
        return ("Connections closed", f"{closes:,}", note, closes > 0)
    edits = result.edits
    return ("Edits lost", f"{edits.lost:,}", f"of {edits.saved:,} saved", edits.lost > 0)


def _delivery_figure(result: Result, quiet: str) -> KeyFigure:
    moving = result.delivery_ms.moving.p99
    if moving is None:
        return ("Delivery p99", words.say_ms(result.delivery_ms.quiet.p99), "quiet", False)
    return ("Delivery p99", words.say_ms(moving), f"moving; {quiet}", False)
