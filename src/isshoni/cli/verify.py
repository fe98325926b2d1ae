"""`isshoni verify`: measure with synthetic users whether the SLA is met."""

from pathlib import Path
from typing import Annotated

import typer
import uvloop

from isshoni.cli.context import EnvironmentOption, open_context
from isshoni.cli.deploy_runner import CommandDeployRunner
from isshoni.cli.output import console, print_json, progress, table
from isshoni.errors import ExitCode
from isshoni.verify.machine import choose_workers
from isshoni.verify.report import render_report
from isshoni.verify.result import LoadShare, Result, write_result
from isshoni.verify.run import Progress
from isshoni.verify.run import verify as run_verify
from isshoni.verify.settings import InvalidRun, PlannedDeploy, RunSettings
from isshoni.verify.sla import say_verdict
from isshoni.verify.users import Habits


def verify(
    clients: Annotated[int, typer.Option(min=1, max=20_000, help="Synthetic users.")] = 50,
    sessions: Annotated[int, typer.Option(min=1, help="Sessions that they share.")] = 10,
    seconds: Annotated[
        float, typer.Option(min=1, help="How long they send at least, deploys included.")
    ] = 30.0,
    deploys: Annotated[
        list[str] | None,
        typer.Option("--deploy", help="Deploy this version during the run; can be repeated."),
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Repeat the list of deploys this often.")] = 1,
    expect: Annotated[
        str, typer.Option(help="How each deploy must end: `promoted` or `rolled_back`.")
    ] = "promoted",
    command: Annotated[
        str | None, typer.Option(help="The `--command` of each deploy: another program to run.")
    ] = None,
    workers: Annotated[
        str, typer.Option(help="Processes for the users: a number, or `auto` (one per 2,500).")
    ] = "auto",
    full_clients: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Users that are whole clients; the others have a leaner socket and canvas. "
            "By default a tenth of them, at least 100.",
        ),
    ] = None,
    messages_per_second: Annotated[float, typer.Option(min=0, help="Of each user.")] = 1.0,
    edits_per_second: Annotated[float, typer.Option(min=0, help="Of each user.")] = 0.5,
    seed: Annotated[int, typer.Option(help="The same seed sends the same messages and edits.")] = 1,
    strict: Annotated[
        bool,
        typer.Option(help="Check the project's own targets too, which are stricter than the SLA."),
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the result as JSON to this file.")
    ] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", help="Write an HTML report to this file.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Address that users connect to (`ws://HOST:PORT`).")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="ISSHONI_TOKEN",
            show_envvar=True,
            help="Token, if sessions require one: see `isshoni token '*'`.",
        ),
    ] = None,
    environment: EnvironmentOption = "local",
) -> None:
    """Connect synthetic users, deploy while they are active, and check the SLA.

    Every message and edit is recorded in a ledger: each one that was acknowledged must
    reach every user of its session, once and in order. `--json -` prints the result on stdout.

        isshoni verify
        isshoni verify --clients 200 --sessions 20 --seconds 40 --deploy v1.1
        isshoni verify --deploy v1.1 --deploy v1.2 --repeat 10 --html report.html

    Exit codes: 0 the SLA was met, 1 it was not.
    """
    settings = RunSettings(
        clients=clients,
        sessions=sessions,
        workers=_count_workers(workers, clients, sessions),
        full_clients=full_clients,
        seed=seed,
        talk_seconds=seconds,
        habits=Habits(messages_per_second, edits_per_second),
        token=token,
        strict=strict,
    )
    planned = [PlannedDeploy(version, expect) for version in (deploys or []) * repeat]
    target = url or _find_url(environment)
    progress.print(f"· {clients} users in {sessions} sessions on {target}, seed {seed}")
    runner = CommandDeployRunner(
        ("--environment", environment, *(("--command", command) if command else ()))
    )
    result = uvloop.run(
        run_verify(target, settings, deploys=planned, runner=runner, on_progress=_Stages().show)
    )
    _write(result, json_file, html_file)
    raise typer.Exit(ExitCode.OK if result.sla.met else ExitCode.SLA_NOT_MET)


def _count_workers(asked: str, clients: int, sessions: int) -> int:
    if asked == "auto":
        return choose_workers(clients, sessions)
    if not asked.isdecimal():
        raise InvalidRun(f"--workers {asked!r} is neither a number nor `auto`")
    return int(asked)


def _find_url(environment: str) -> str:
    with open_context(environment) as context:
        return context.place.public_url.replace("http", "ws", 1)


class _Stages:
    """Prints one line when a stage begins, with the counts so far."""

    def __init__(self) -> None:
        self._stage = ""

    def show(self, now: Progress) -> None:
        if now.stage == self._stage:
            return
        self._stage = now.stage
        progress.print(
            f"· {now.seconds:5.1f} s  {now.stage}: {now.connected}/{now.clients} connected, "
            f"{now.messages} messages, {now.deliveries} deliveries"
        )


def _write(result: Result, json_file: Path | None, html_file: Path | None) -> None:
    if result.load is not None:
        progress.print(f"· {say_load(result.load)}", markup=False)
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


_MARKS = {"kept": "[green]kept[/]", "broken": "[bold red]broken[/]", "missed": "missed"}


def show_verdict(result: Result) -> None:
    """Print each promise with its limit and what was measured, and whether the SLA was met."""
    rows = table("", "promise", "limit", "measured", "")
    for limit in result.sla.limits:
        name = limit.name + (" (own target)" if limit.strict else "")
        rows.add_row(name, limit.promise, limit.found, _MARKS[say_verdict(limit, result.sla)])
    console.print(rows)
    if result.sla.met:
        console.print("[bold green]The SLA was met.[/]")
        return
    console.print("[bold red]The SLA was not met:[/]")
    for sentence in result.sla.failed:
        console.print(f"  · {sentence}", style="red", markup=False)
