r"""Evacuate one of two processes of a slot, then even them out again (T14).

    scripts/bench evacuation                            1,000 users in 100 sessions
    scripts/bench evacuation --clients 200 --sessions 20 --json

Users talk on a slot of two processes while its second one is evacuated and included again.
"""

import argparse
import asyncio
import json
from typing import Any

from tests.support.installation import Installation, installation
from tests.support.live_crowd import LiveCrowd

from isshoni.verify.settings import RunSettings
from isshoni.verify.users import Habits


async def measure(platform: Installation, options: argparse.Namespace) -> dict[str, Any]:
    """Evacuate and rebalance under live users; return the figures and those of the ledger."""
    habits = Habits(options.messages_per_second, options.edits_per_second)
    crowd = LiveCrowd(
        platform.status()["address"].replace("http", "ws", 1),
        RunSettings(
            clients=options.clients,
            sessions=options.sessions,
            habits=habits,
            join_seconds=120.0,
            settle_seconds=60.0,
        ),
    )
    try:
        await crowd.come()
        moved = await crowd.talk_through(go_and_come_back(platform))
        result = await crowd.judge()
    finally:
        await crowd.leave()
    messages, gap = result.messages, result.gap_ms
    return {
        **moved,
        "messages": {n: getattr(messages, n) for n in ("acked", "lost", "doubled", "reordered")},
        "edits": {"saved": result.edits.saved, "lost": result.edits.lost},
        "gap_ms": {"max": gap.max, "clients_cut": gap.clients_cut},
        "trouble": list(result.trouble),
    }


async def go_and_come_back(platform: Installation) -> dict[str, Any]:
    """Evacuate the second process, then rebalance; return what the commands report."""
    before = await asyncio.to_thread(platform.status)
    processes = before["seen"]["colours"]["blue"]["processes"]
    evacuated = await run(platform, "evacuate", "blue-1")
    evened = await run(platform, "rebalance")
    return {
        "before": {process["name"]: process["connections"] for process in processes},
        "evacuation": evacuated,
        "rebalance": evened,
    }


async def run(platform: Installation, *arguments: str) -> dict[str, Any]:
    """Run a command that must succeed; return its JSON."""
    done = await asyncio.to_thread(platform.run, *arguments, "--json", timeout=300.0)
    if done.returncode != 0:
        raise SystemExit(f"{arguments} failed: {done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--messages-per-second", type=float, default=0.2, help="of each client")
    parser.add_argument("--edits-per-second", type=float, default=0.1, help="of each client")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    with installation() as platform:
        platform.configure(processes=2)
        platform.up()
        figures = asyncio.run(measure(platform, options))
    lines = (f"{name.replace('_', ' '):<12} {value}" for name, value in figures.items())
    print(json.dumps(figures, indent=1) if options.json else "\n".join(lines))


if __name__ == "__main__":
    main()
