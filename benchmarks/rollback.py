r"""Roll back all sessions by hand (T6): measure when the last is on stable, and the cost.

    scripts/bench rollback                                  1,000 users in 100 sessions
    scripts/bench rollback --clients 200 --sessions 20 --json
    scripts/bench rollback --clients 2000 --sessions 200 \
        --messages-per-second 0.05 --edits-per-second 0.5        the busy case (T6a)

Users talk on stable; a release is deployed, and rolled back as soon as all are on it.
"""

import argparse
import asyncio
import json
from typing import Any

from tests.support.installation import Installation, installation
from tests.support.live_crowd import LiveCrowd

from isshoni.verify.settings import RunSettings
from isshoni.verify.users import Habits

BAKE_SECONDS = 5.0
KEPT_SECONDS = 60.0
"""Long enough that a rollback finds the rollout still running, on a busy machine too."""
LOOK_SECONDS = 0.3
ALL = 0.99
"""The part of the clients that must be on the candidate: one may just reconnect."""


async def measure(platform: Installation, options: argparse.Namespace) -> dict[str, Any]:
    """Deploy, roll back, and return the figures of the rollout and of the ledger."""
    address = platform.status()["address"].replace("http", "ws", 1)
    habits = Habits(options.messages_per_second, options.edits_per_second)
    crowd = LiveCrowd(
        address,
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
        report = await crowd.talk_through(go_and_come_back(platform, options.clients))
        result = await crowd.judge()
    finally:
        await crowd.leave()
    messages, gap = result.messages, result.gap_ms
    return {
        "outcome": report["outcome"],
        "steps": {step["title"]: step["seconds"] for step in report["steps"]},
        "rollback_seconds": report["rollback_seconds"],
        "messages": {n: getattr(messages, n) for n in ("acked", "lost", "doubled", "reordered")},
        "edits": {"saved": result.edits.saved, "lost": result.edits.lost},
        "gap_ms": {"max": gap.max, "clients_cut": gap.clients_cut},
        "trouble": list(result.trouble),
    }


async def go_and_come_back(platform: Installation, clients: int) -> dict[str, Any]:
    """Deploy until all are on the candidate, then roll back; return the report."""
    deploy = platform.start("deploy", "v1.1", "--json")
    while count_on_green(await asyncio.to_thread(platform.status)) < ALL * clients:
        if deploy.poll() is not None:
            raise SystemExit(f"the deploy ended before all were on it: {deploy.communicate()}")
        await asyncio.sleep(LOOK_SECONDS)
    await asyncio.to_thread(platform.run, "rollback", "--json")
    written, _ = await asyncio.to_thread(deploy.communicate)
    report: dict[str, Any] = json.loads(written)
    return report


def count_on_green(stand: dict[str, Any]) -> int:
    """Return the connections on green; 0 while they cannot be read."""
    seen = stand["seen"]
    return int(seen["colours"]["green"]["connections"]) if seen else 0


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
    with installation(
        bake_seconds=BAKE_SECONDS,
        keep_stable_seconds=KEPT_SECONDS,
        drain_timeout_seconds=300.0,
        migrate_within_seconds=10.0,
    ) as platform:
        platform.up()
        figures = asyncio.run(measure(platform, options))
    lines = (f"{name.replace('_', ' '):<18} {value}" for name, value in figures.items())
    print(json.dumps(figures, indent=1) if options.json else "\n".join(lines))


if __name__ == "__main__":
    main()
