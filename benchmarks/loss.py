"""Count what a deploy loses: eight applications under their stock clients, with and without us."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.support.loss_peers import NAMES, PEERS, Peer, can_run
from benchmarks.support.loss_runs import HOWS, Effort, run_peer

from isshoni.errors import IsshoniError
from isshoni.verify.result import Result

EXAMPLES = f"""
Each application is the one in examples/; its clients are its framework's own. It is replaced by a
new process behind a plain TCP proxy (restart), and deployed by its README's command (isshoni).
control: nothing is deployed; what is lost then, the application loses by itself.

  scripts/bench loss                                  everything, about 6 minutes
  scripts/bench loss --only fastapi,ws --how restart
  scripts/bench loss --only socket.io --clients 100 --rooms 10 --json loss.json

The peers: {", ".join(NAMES)}.
Exit codes: 0, 1 a run could not be made (the others are shown), 2 wrong options.
"""
COLUMNS = ("application", "deploy", "clients", "cut", "closes", "messages", "lost", "doubled",
           "reordered", "gap p50", "gap max", "p99 quiet", "p99 deploy")  # fmt: skip


def main() -> None:
    """Run the peers that were asked for, and print the table."""
    options = _read_options()
    effort = Effort(options.clients, options.rooms, options.rate, options.seconds)
    rows, failures = asyncio.run(run_all(options.only, options.how, effort, _say))
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "failures": failures}, indent=1) + "\n")
    print(format_table(rows))
    for name, failure in failures.items():
        print(f"{name}: {failure}", file=sys.stderr)
    sys.exit(1 if failures else 0)


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench loss",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", type=_names_of(NAMES), default=NAMES, metavar="PEER,…")
    parser.add_argument(
        "--how", type=_names_of(HOWS), default=HOWS, metavar="control,restart,isshoni"
    )
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--rooms", type=int, default=4, help="where an application has rooms")
    parser.add_argument("--rate", type=float, default=2.0, help="messages a second, of each")
    parser.add_argument("--seconds", type=float, default=4.0, help="before and after the deploy")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything found there")
    options = parser.parse_args()
    if not 1 <= options.rooms <= options.clients or min(options.rate, options.seconds) <= 0:
        parser.error("--rate and --seconds must be above 0, --rooms 1 to --clients")
    return options


def _names_of(known: Sequence[str]) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",")]
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names

    return read


async def run_all(
    names: Sequence[str], hows: Sequence[str], effort: Effort, say: Callable[[str], None]
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Run each peer in each way; return the rows, and why a run could not be made."""
    rows, failures = [], {}
    for peer in [peer for peer in PEERS if peer.name in names]:
        for how in hows:
            if not can_run(peer):
                failures[f"{peer.name}, {how}"] = "there is no node on the PATH"
                continue
            try:
                result = await run_peer(peer, how, effort)
            except (IsshoniError, OSError, RuntimeError, TimeoutError) as fault:
                failures[f"{peer.name}, {how}"] = str(fault)
                continue
            rows.append(make_row(peer, how, result))
            say(f"{peer.name}, {how}: {_brief(result)}")
    return rows, failures


def make_row(peer: Peer, how: str, result: Result) -> dict[str, Any]:
    """Return the figures of one run."""
    assert result.stock is not None
    messages, gap, delivery = result.messages, result.gap_ms, result.delivery_ms
    figures = (
        *(peer.name, how, result.clients, gap.clients_cut, result.stock.closes, messages.acked),
        *(messages.lost, messages.doubled, messages.reordered, gap.p50, gap.max),
        *(delivery.quiet.p99, delivery.moving.p99),
    )
    return dict(zip(COLUMNS, figures, strict=True)) | {
        "closes by code": result.stock.closes_by_code,
        "removals": result.stock.removals,
        "documents that differ": result.edits.diverged_sessions,
        "outcome": [f"{deploy.outcome} {deploy.reason or ''}".strip() for deploy in result.deploys],
        "failed": list(result.sla.failed),
        "library": result.stock.library,
    }


def format_table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the rows as a table."""
    cells = [COLUMNS, *([_format(row[column]) for column in COLUMNS] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def _format(value: object) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else "–" if value is None else str(value)


def _brief(result: Result) -> str:
    return "; ".join(result.sla.failed) or "nothing lost, doubled, reordered"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
