"""Print how a rollout ended."""

from collections.abc import Sequence

from rich.text import Text

from isshoni.cli.context import Context
from isshoni.cli.output import console, print_json, progress, styled, table
from isshoni.engine.report import RolloutReport
from isshoni.rollout.state import Outcome


def show_report(report: RolloutReport, last_lines: Sequence[str], *, json: bool) -> None:
    """Print the steps of a rollout on stderr, and its outcome on stdout.

    `last_lines`: what a candidate that was rolled back wrote last.
    """
    if json:
        print_json({**report.to_json(), "log_lines": last_lines})
        return
    steps = table(f"Rollout {report.id}", "", "step", "seconds")
    for step in report.steps:
        seconds = "" if step.seconds is None else f"{step.seconds:.1f}"
        steps.add_row(str(step.number), step.title, seconds)
    progress.print(steps)
    if last_lines:
        progress.print(f"The last lines of {report.colour}'s log:", style="dim")
        for line in last_lines:
            progress.print(f"  {line}")
    console.print(_sum_up(report))


def print_report_path(context: Context, report: RolloutReport) -> None:
    """Print the path of a rollout's report, if one was written."""
    file = context.reports.html(report.id)
    if report.outcome != "running" and file.is_file():
        progress.print(f"· report: file://{file}", soft_wrap=True)  # a link must stay whole


def _advise(report: RolloutReport) -> str:
    if report.rollback_seconds is not None:
        return "`isshoni rollback` finishes the rollback"
    return f"`isshoni deploy {report.release}` resumes it"


def _sum_up(report: RolloutReport) -> Text:
    seconds = f"{report.seconds:.1f} s, {report.bake_seconds:g} s of which it was watched"
    name = report.release_name
    outcomes: dict[Outcome, tuple[tuple[str, str], str]] = {
        "promoted": ((f"{name} is live", "bold green"), f" on {report.colour}, after {seconds}"),
        "rolled_back": ((f"{name} was rolled back", "bold red"), f": {report.reason}"),
        "refused": (("not started", "bold yellow"), f", nothing was changed: {report.reason}"),
        "stuck": (("stuck", "bold red"), f", an operator must check: {report.reason}"),
        "running": (
            (f"the rollout of {name} is not over", "yellow"),
            f": `isshoni status` shows it; if no engine works on it, {_advise(report)}",
        ),
    }
    clocks = report.rollback_seconds
    if clocks is None or clocks.new_connections is None:
        return styled(*outcomes[report.outcome])
    home = (
        ""
        if clocks.last_session is None
        else f", and had all sessions back after {clocks.last_session:.1f} s"
    )
    return styled(
        *outcomes[report.outcome],
        f"\n{report.previous_release} took new connections again after "
        f"{clocks.new_connections:.1f} s{home}.",
    )
