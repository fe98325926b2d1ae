"""`isshoni evacuate`: move all sessions of a process to the others of its slot."""

from typing import Annotated

import typer

from isshoni.cli.between_processes import (
    MoveView,
    find_processes,
    find_stable_colour,
    refuse_unknown,
)
from isshoni.cli.context import (
    Context,
    DryRunFlag,
    EnvironmentOption,
    JsonFlag,
    open_context,
    run,
)
from isshoni.cli.output import console, print_forecast, print_json
from isshoni.cli.stopped import refuse_stopped
from isshoni.engine.evacuation import Evacuation, check_others, include
from isshoni.engine.evacuation import evacuate as evacuate_process
from isshoni.engine.processes import refuse_during_rollout
from isshoni.plurals import count
from isshoni.rollout.model import ProcessStatus


def evacuate(
    process: Annotated[
        str,
        typer.Argument(
            metavar="PROCESS", help="A process of the live slot, like `green-1`; see `status`."
        ),
    ],
    undo: Annotated[
        bool, typer.Option("--undo", help="Let new connections in again; move no session.")
    ] = False,
    environment: EnvironmentOption = "local",
    dry_run: DryRunFlag = False,
    json: JsonFlag = False,
) -> None:
    """Move all sessions of a process to the other processes of its slot.

    The load balancer first stops sending it new connections. Then its clients are asked to move,
    each opening the new connection before it closes the old one, as fast as the other processes
    can take them. The process keeps running, empty, until `isshoni rebalance` or `--undo` includes
    it again, or the next release replaces it.

        isshoni evacuate green-1
        isshoni evacuate green-1 --undo

    Exit codes: 0 it is empty (or included again), 2 there is no such process, 4 the balancer or the
    process did not do as asked, 6 a rollout is running, 7 a rollout was left unfinished, or no
    other process could take the sessions, 130 interrupted: sessions that have not moved stay.
    """
    with open_context(environment) as context:
        refuse_stopped(context)
        statuses = list(run(find_processes(context).observe(find_stable_colour(context))))
        name = f"{process}-0" if process in ("blue", "green") else process
        refuse_unknown(name, [status.name for status in statuses])
        if dry_run:
            _forecast(context, name, statuses, undo=undo, json=json)
        elif undo:
            run(include(context.engine, find_processes(context), [name]))
            _report(json, {"process": name, "included": True}, f"{name} gets new connections again")
        else:
            done = run(_evacuate(context, name))
            _report(json, done, _describe(done))


async def _evacuate(context: Context, name: str) -> Evacuation:
    processes, view = find_processes(context), MoveView()
    return await evacuate_process(context.engine, processes, name, context.plan, view.show)


def _forecast(
    context: Context, name: str, statuses: list[ProcessStatus], *, undo: bool, json: bool
) -> None:
    refuse_during_rollout(context.engine)
    if undo:
        words = f"would send new connections to {name} again"
        print_forecast(words, json=json, process=name, undo=True)
        return
    takers = [taker.name for taker in check_others(name, statuses)]
    mine = next(status for status in statuses if status.name == name)
    words = (
        f"would move {count(mine.connections, 'connection')} of {count(mine.sessions, 'session')} "
        f"from {name} to {', '.join(takers)}, at most "
        f"{context.plan.migrate_rate_per_second:g} a second"
    )
    counted = {"connections": mine.connections, "sessions": mine.sessions}
    print_forecast(words, json=json, process=name, undo=False, to=takers, **counted)


def _report(json: bool, result: object, words: str) -> None:
    if json:
        print_json(result)
    else:
        console.print(words)


def _describe(done: Evacuation) -> str:
    late = f", {done.closed} closed and reconnected" if done.closed else ""
    return (
        f"{done.process} is empty: {count(done.moved, 'connection')} moved{late}, in "
        f"{done.seconds:.1f} s. `isshoni rebalance` includes it again"
    )
