"""`isshoni rebalance`: even out the processes of the live slot."""

from isshoni.cli.between_processes import MoveView, find_processes, find_stable_colour
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
from isshoni.engine.processes import refuse_during_rollout
from isshoni.engine.rebalancing import BALANCED_PCT, Rebalance, measure_imbalance
from isshoni.engine.rebalancing import rebalance as rebalance_slot
from isshoni.plurals import count


def rebalance(
    environment: EnvironmentOption = "local", dry_run: DryRunFlag = False, json: JsonFlag = False
) -> None:
    """Move sessions until no process of the live slot has 10 % more than the average.

    Processes that were evacuated get new connections again. Sessions move as a whole, from the
    fullest process to the emptiest, as in `isshoni evacuate`; it ends early if that no longer
    helps, because a session is large or its clients cannot move.

        isshoni rebalance
        isshoni rebalance --dry-run

    Exit codes: 0 done (what is left of the imbalance is printed), 4 the balancer or a process did
    not do as asked, 6 a rollout is running, 7 a rollout was left unfinished, 130 interrupted:
    sessions that have not moved stay.
    """
    with open_context(environment) as context:
        refuse_stopped(context)
        if dry_run:
            _forecast(context, json=json)
            return
        done = run(_rebalance(context))
    if json:
        print_json(_as_json(done))
    else:
        console.print(_describe(done))


async def _rebalance(context: Context) -> Rebalance:
    processes, colour, view = find_processes(context), find_stable_colour(context), MoveView()
    return await rebalance_slot(context.engine, processes, colour, context.plan, view.show)


def _forecast(context: Context, *, json: bool) -> None:
    refuse_during_rollout(context.engine)
    statuses = run(find_processes(context).observe(find_stable_colour(context)))
    imbalance = measure_imbalance(statuses)
    what = "would move sessions" if imbalance > BALANCED_PCT else "would move no session"
    lines = [f"{what}: the fullest process is {imbalance:.0f} % above the average"]
    for status in statuses:
        evacuated = ", evacuated: would get new connections again" if status.evacuated else ""
        lines.append(f"{status.name}: {count(status.connections, 'connection')}{evacuated}")
    counted = {status.name: status.connections for status in statuses}
    data = {"connections": counted, "imbalance_pct": round(imbalance, 1)}
    print_forecast("\n".join(lines), json=json, **data)


def _as_json(done: Rebalance) -> dict[str, object]:
    return {
        "included": list(done.included),
        "connections": done.connections,
        "imbalance_pct": done.imbalance_pct,
        "balanced": done.is_balanced,
        "seconds": done.seconds,
    }


def _describe(done: Rebalance) -> str:
    counts = ", ".join(f"{name} {count}" for name, count in done.connections.items())
    words = f"connections: {counts}; the fullest is {done.imbalance_pct:g} % above the average"
    if done.is_balanced:
        return words
    return f"{words}, and moving more sessions did not help (they are large, or cannot move)"
