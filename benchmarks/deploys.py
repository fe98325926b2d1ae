"""Deploy several times under live users: measure losses, closed connections and times.

    scripts/bench deploys --clients 200 --deploys 20
    scripts/bench deploys --clients 1000 --sessions 100 --deploys 1 --messages-per-second 0.2
    scripts/bench deploys --clients 5000 --sessions 500 --deploys 1 \
        --messages-per-second 0.05 --edits-per-second 0.05
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.support.installation import installation


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
        _, complaints = process.communicate()
        if not file.exists():
            sys.exit(complaints)
        result = json.loads(file.read_text())
    print(json.dumps(result, indent=1) if options.json else summarise(result))


def summarise(result: dict[str, object]) -> str:
    """Return the figures that T1, T4, T5 and T7 are about."""
    deploys = result["deploys"]
    assert isinstance(deploys, list)
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
    return "\n".join(lines)


if __name__ == "__main__":
    main()
