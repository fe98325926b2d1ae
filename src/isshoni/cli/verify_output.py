"""What `isshoni verify` prints: the stages of a run, its result and the verdict."""

from pathlib import Path

from rich.text import Text

from isshoni.cli.output import console, print_json, progress, table
from isshoni.plurals import count
from isshoni.verify.report import render_report
from isshoni.verify.result import LoadShare, Result, StockFindings, write_result
from isshoni.verify.run import Progress
from isshoni.verify.sla import say_verdict

_MARKS = {
    "kept": Text("kept", "green"),
    "broken": Text("broken", "bold red"),
    "missed": Text("missed"),
}


class Stages:
    """Prints one line when a stage begins, with the counts so far."""

    def __init__(self) -> None:
        self._stage = ""

    def show(self, now: Progress) -> None:
        """Print a line if a stage has begun."""
        if now.stage == self._stage:
            return
        self._stage = now.stage
        progress.print(
            f"· {now.seconds:5.1f} s  {now.stage}: {now.connected}/{now.clients} connected, "
            f"{count(now.messages, 'message')}, "
            f"{count(now.deliveries, 'delivery', 'deliveries')}",
        )


def show_command_line(line: str) -> None:
    """Print a line that the command of `--during` wrote."""
    progress.print(f"  │ {line}")


def write(result: Result, json_file: Path | None, html_file: Path | None) -> None:
    """Write the files that were asked for, and print the verdict, or the JSON for `-`."""
    if result.load is not None:
        progress.print(f"· {say_load(result.load)}")
    if html_file:
        html_file.write_text(render_report(result), encoding="utf-8")
        progress.print(f"· report: {html_file}")
    if json_file == Path("-"):
        print_json(result)
        return
    if json_file:
        write_result(result, json_file)
        progress.print(f"· result: {json_file}")
    show_verdict(result)


def say_load(load: LoadShare) -> str:
    """Return a sentence about what the synthetic users took, or the warning about it."""
    if load.warning:
        return f"warning: {load.warning}"
    return (
        f"the synthetic users took {load.share:.0%} of this machine "
        f"({load.cpu_seconds:.1f} s of {load.machine_cpu_seconds:.0f} s)"
    )


def show_verdict(result: Result) -> None:
    """Print each promise with its limit and what was measured, and whether the SLA was met."""
    rows = table("", "promise", "limit", "measured", "")
    for limit in result.sla.limits:
        name = limit.name + (" (own target)" if limit.strict else "")
        rows.add_row(name, limit.promise, limit.found, _MARKS[say_verdict(limit, result.sla)])
    console.print(rows)
    if result.stock is not None:
        _show_stock(result, result.stock)
    if result.sla.met:
        console.print("The SLA was met.", style="bold green")
        return
    console.print("The SLA was not met:", style="bold red")
    for sentence in result.sla.failed:
        console.print(f"  · {sentence}", style="red")


def _show_stock(result: Result, stock: StockFindings) -> None:
    quiet, moving = result.delivery_ms.quiet, result.delivery_ms.moving
    lines = [f"{stock.library}: {say_closes(stock)}, reconnects: {stock.reconnects:,}"]
    lines.append(f"delivery p50 / p99: quiet {quiet.p50} / {quiet.p99} ms")
    if moving.count:
        lines[-1] += f", while it ran {moving.p50} / {moving.p99} ms"
    if stock.removals:
        lines.append(f"clients seen leaving a document: {stock.removals:,}")
    for line in lines:
        console.print(line)


def say_closes(stock: StockFindings) -> str:
    """Return how many connections were closed, and how."""
    if not stock.closes:
        return "no connection was closed"
    by_code = ", ".join(f"{code}: {count:,}" for code, count in stock.closes_by_code.items())
    return f"connections closed: {stock.closes:,} ({by_code})"
