"""`isshoni drill`: rehearse a failover on this machine."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from isshoni.cli.context import DryRunFlag, JsonFlag
from isshoni.cli.drill_report import print_verdict
from isshoni.cli.drill_run import FAULTS, Drill, run_drill
from isshoni.cli.output import print_forecast, print_json
from isshoni.errors import ExitCode
from isshoni.plurals import count


def drill(
    what: Annotated[
        Literal["failover"], typer.Argument(metavar="WHAT", help="What to rehearse: `failover`.")
    ],
    clients: Annotated[int, typer.Option(min=2, max=2000, help="Synthetic clients.")] = 200,
    runs: Annotated[int, typer.Option(min=1, max=100, help="How often everything is done.")] = 1,
    fault: Annotated[
        str | None, typer.Option(help=f"A fault in the middle: {', '.join(FAULTS)}.")
    ] = None,
    only: Annotated[
        Literal["emergency"] | None,
        typer.Option(help="Only emergencies: the region that serves is lost, in turn."),
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(help="Leave the logs of all programs in this directory.")
    ] = None,
    dry_run: DryRunFlag = False,
    json: JsonFlag = False,
) -> None:
    """Rehearse a failover: two regions, clients and a ledger, in a temporary directory.

    Starts two whole regions on free ports, and clients that write all the time. Then a planned
    failover and back, an emergency (kill -9 of every program of the serving region at once),
    and back. The ledger checks that no acknowledged message or edit was lost, doubled or
    reordered, and how long each client had no connection. Your environments are not touched.

        isshoni drill failover
        isshoni drill failover --clients 20 --runs 5
        isshoni drill failover --fault engine-killed
        isshoni drill failover --only emergency --runs 20

    Exit codes: 0 every promise was kept, 1 one was broken, 2 a wrong option, 4 the regions did
    not start.
    """
    if fault is not None and fault not in FAULTS:
        raise typer.BadParameter(f"{fault!r} is none of: {', '.join(FAULTS)}", param_hint="--fault")
    if fault is not None and only is not None:
        raise typer.BadParameter("--fault and --only exclude each other")
    settings = Drill(clients, runs, fault, keep, only)
    if dry_run:
        words = (
            f"would start two regions in a temporary directory, connect {count(clients, 'client')},"
        )
        words += f" and rehearse a {what} {count(runs, 'time')}"
        words += f" with the fault {fault}" if fault else ""
        print_forecast(words, json=json, clients=clients, runs=runs, fault=fault)
        return
    verdict = run_drill(settings)
    if json:
        print_json(verdict)
    else:
        print_verdict(verdict)
    raise typer.Exit(ExitCode.OK if verdict.met else ExitCode.SLA_NOT_MET)
