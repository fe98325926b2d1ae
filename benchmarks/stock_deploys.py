"""Deploy eight applications under 200 of their stock clients: 20 times each, and a rollback."""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.support.pycrdt_peer import PYCRDT, pycrdt_commands
from tests.support.example_crowd import Crowd, Ledger, Size, has_node_clients, judge, settle
from tests.support.examples import EXAMPLES, Example, copy_example, find_path, read_commands
from tests.support.foreign_clients import FRONTEND
from tests.support.installation import Installation, installation

NOTES = """
Each application is that of examples/, deployed by its README's command behind the relay; `pycrdt`
is a server of pycrdt-websocket. Its clients are its framework's own. Each sends a message every
--every seconds; the ledger compares what each client sent with what all others got.

  scripts/bench stock_deploys                               everything, about 40 minutes
  scripts/bench stock_deploys --only hocuspocus --deploys 2 --clients 40

Exit codes: 0 nothing was closed, lost, doubled or reordered; 1 something was; 2 wrong options.
"""
STACKS = ("y-websocket", "pycrdt", "hocuspocus", "socketio-node", "python-socketio", "channels",
          "fastapi-chat", "ws-node")  # fmt: skip
SETTINGS = {"bake_seconds": 1.0, "migrate_rate_per_second": 100.0, "drain_timeout_seconds": 60.0}
COLUMNS = ("application", "clients", "deploys", "rollback", "closed", "messages", "deliveries",
           "lost", "doubled", "reordered", "longest deploy")  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What became of one application's clients."""

    application: str
    clients: int
    promoted: int
    """Deploys that ended with all clients on the new version."""
    rolled_back: bool
    messages: int
    deliveries: int
    faults: Ledger
    longest_seconds: float
    remarks: tuple[str, ...] = ()

    def is_good(self, deploys: int) -> bool:
        """Return True if every deploy and the rollback moved all clients, without a fault."""
        every = self.promoted == deploys and self.rolled_back
        return every and self.faults == Ledger(lost=0, doubled=0, reordered=0, ends=0)


def main() -> None:
    """Deploy those that were asked for, and print the table."""
    options = _read_options()
    os.environ["PATH"] = find_path(os.environ["PATH"])
    if not has_node_clients():
        sys.exit(f"stock_deploys: the clients of npm are missing: run npm ci in {FRONTEND.name}")
    outcomes = []
    for name in options.only:
        size = Size(options.clients, min(options.rooms, options.clients), options.every)
        outcomes.append(asyncio.run(deploy_often(name, size, options.deploys)))
        print(format_table(outcomes[-1:]), *outcomes[-1].remarks, sep="\n", file=sys.stderr)
    print(format_table(outcomes))
    if options.json:
        rows = [asdict(outcome) for outcome in outcomes]
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    sys.exit(0 if all(outcome.is_good(options.deploys) for outcome in outcomes) else 1)


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench stock_deploys",
        description=__doc__,
        epilog=NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", type=_read_names, default=STACKS, metavar="NAME,…")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--rooms", type=int, default=20, help="where an application has rooms")
    parser.add_argument("--deploys", type=int, default=20)
    parser.add_argument("--every", type=float, default=20.0, metavar="SECONDS")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found there")
    options = parser.parse_args()
    if min(options.clients, options.rooms, options.deploys, options.every) <= 0:
        parser.error("--clients, --rooms, --deploys and --every must be above 0")
    return options


def _read_names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in STACKS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(STACKS)}")
    return names


async def deploy_often(name: str, size: Size, deploys: int) -> Outcome:
    """Start an application, deploy it again and again and roll back, under its clients."""
    example = PYCRDT if name == "pycrdt" else EXAMPLES[name]
    commands = pycrdt_commands() if name == "pycrdt" else read_commands(name)
    with installation(**SETTINGS) as platform:
        if name != "pycrdt":
            copy_example(name, platform.directory)
        remarks = await _run(platform, *commands["up"])
        if remarks:
            raise RuntimeError(f"{name} cannot be started: {remarks}")
        address = (await asyncio.to_thread(platform.status))["address"]
        async with example.connect(address, size) as crowd:
            await crowd.start()
            return await _deploy_under(platform, name, commands["deploy"], example, crowd, deploys)


async def _deploy_under(
    platform: Installation,
    name: str,
    command: Sequence[str],
    example: Example,
    crowd: Crowd,
    deploys: int,
) -> Outcome:
    """Deploy under these clients; return what they saw once the last message has arrived."""
    seconds, remarks = [], []
    for number in range(2, deploys + 2):
        began = time.monotonic()
        fault = await _run(platform, *(f"v{number}" if word == "v2" else word for word in command))
        remarks += [f"{name} v{number}: {fault}"] if fault else []
        seconds.append(time.monotonic() - began)
        print(f"{name}: v{number} after {seconds[-1]:.1f} s", file=sys.stderr, flush=True)
    promoted = deploys - len(remarks)
    fault = await _run(platform, "rollback")
    await crowd.stop()
    members = await settle(crowd, example.hears)
    return Outcome(
        application=name,
        clients=len(members),
        promoted=promoted,
        rolled_back=not fault,
        messages=sum(len(member.sent) for member in members),
        deliveries=sum(len(member.got) for member in members),
        faults=judge(members, example.hears),
        longest_seconds=max(seconds),
        remarks=(*remarks, *([f"{name} rollback: {fault}"] if fault else [])),
    )


async def _run(platform: Installation, *words: str) -> str:
    """Run a command; return what it complained about if it failed."""
    done = await asyncio.to_thread(platform.run, *words, timeout=180)
    return "" if done.returncode == 0 else f"exit {done.returncode}: {done.stderr.strip()}"


def format_table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as a table."""
    lines: list[tuple[str, ...]] = [COLUMNS, *(_cells(outcome) for outcome in outcomes)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cells(outcome: Outcome) -> tuple[str, ...]:
    faults = outcome.faults
    figures: tuple[Any, ...] = (
        *(outcome.application, outcome.clients, outcome.promoted),
        *("done" if outcome.rolled_back else "failed", faults.ends),
        *(f"{outcome.messages:,}", f"{outcome.deliveries:,}"),
        *(faults.lost, faults.doubled, faults.reordered, f"{outcome.longest_seconds:.1f} s"),
    )
    return tuple(str(figure) for figure in figures)


if __name__ == "__main__":
    main()
