"""Deploy several times under live users: measure losses, closed connections and times.

Prints what a deploy's seconds go to, step by step, and how its moves were paced: the greatest
CPU of the slot that sessions moved to, and the most clients that were asked to move, and that
arrived, in one second.

    scripts/bench deploys --clients 200 --deploys 20
    scripts/bench deploys --clients 1000 --sessions 100 --deploys 1 --messages-per-second 0.2
    scripts/bench deploys --clients 5000 --sessions 500 --deploys 1 \
        --messages-per-second 0.05 --edits-per-second 0.05
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.support.move_watch import MoveWatch, find_busiest, find_peak_cpu
from tests.support.installation import installation

from isshoni.rollout.plan import RolloutPlan


def main() -> None:
    """Deploy again and again, and print the results of the ledger."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--deploys", type=int, default=20)
    parser.add_argument("--bake-seconds", type=float, default=1.0)
    parser.add_argument("--messages-per-second", type=float, default=1.0, help="of each client")
    parser.add_argument("--edits-per-second", type=float, default=0.5, help="of each client")
    parser.add_argument("--workers", default="auto", help="processes of the clients")
    parser.add_argument("--json", action="store_true", help="print the whole result")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        installation(bake_seconds=options.bake_seconds) as platform,
    ):
        platform.up()
        file = Path(name) / "result.json"
        versions = [f"v1.{number}" for number in range(1, options.deploys + 1)]
        process = platform.start(
            "verify",
            *("--clients", str(options.clients), "--sessions", str(options.sessions)),
            *("--messages-per-second", str(options.messages_per_second)),
            *("--edits-per-second", str(options.edits_per_second)),
            *("--workers", options.workers),
            *(word for version in versions for word in ("--deploy", version)),
            *("--json", str(file)),
        )
        with MoveWatch(platform.directory / "state") as watch:
            _, complaints = process.communicate()
        if not file.exists():
            sys.exit(complaints)
        result = json.loads(file.read_text())
        result["moves"] = describe_moves(watch)
    print(json.dumps(result, indent=1) if options.json else summarise(result))


def summarise(result: dict[str, Any]) -> str:
    """Return the figures that T1, T4, T5 and T7 are about."""
    deploys = result["deploys"]
    beyond = sorted(deploy["seconds"] - deploy["bake_seconds"] for deploy in deploys)
    promoted = sum(deploy["outcome"] == "promoted" for deploy in deploys)
    lines = [
        f"{name:<12} {result[name]}"
        for name in ("messages", "edits", "gap_ms", "delivery_ms", "load")
    ]
    lines.append(
        f"deploys      {promoted} of {len(deploys)} promoted; beyond their bakes "
        f"{beyond[len(beyond) // 2]:.1f} s (median), {beyond[-1]:.1f} s (longest)"
    )
    lines += [f"{name:<12} {value}" for name, value in result["moves"].items()]
    return "\n".join([*lines, "", *list_phases(deploys)])


def describe_moves(watch: MoveWatch) -> dict[str, str]:
    """Return the figures that T12 is about."""
    plan = RolloutPlan()
    asked, arrived = (find_busiest(watch.moves, name) for name in ("asked", "opened"))
    return {
        "move's CPU": f"{find_peak_cpu(watch.moves):.0f} % of a core at most, where sessions "
        f"move to (ceiling {plan.pace.cpu_ceiling_pct:.0f} %)",
        "move's rate": f"{asked:.0f} asked and {arrived:.0f} arrived in one second at most "
        f"(configured: {plan.migrate_rate_per_second:.0f}; probes arrive beside them)",
    }


def list_phases(deploys: list[dict[str, Any]]) -> Iterator[str]:
    """Yield how long each phase took in the median, bakes included."""
    yield f"{'phase':<24} seconds (median)"
    spans: dict[str, list[float]] = {}
    for deploy in deploys:
        phases = deploy["phases"]
        edges = [deploy["began_at"], deploy["began_at"] + deploy["seconds"]]
        named = [(it["name"], it["began_at"], it["ended_at"]) for it in phases]
        if named:
            named.insert(0, ("the command starts", edges[0], named[0][1]))
            named.append(("the command ends", named[-1][2], edges[1]))
        for name, began, ended in named:
            spans.setdefault(name, []).append(ended - began)
    for name, seconds in spans.items():
        yield f"{name:<24} {median(seconds):.2f}"


if __name__ == "__main__":
    main()
