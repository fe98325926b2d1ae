"""Count what is lost under every fault, and under random combinations of them.

Run as `scripts/bench chaos [--json] [--runs 5] [--users 8] [--combinations 20]`. Each run
puts live users on a whole installation, lets a fault strike, and compares what was
acknowledged with what every user got. A gap is a user's time without an open,
restored connection in one run; 0 for those who were never cut.
"""

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import uvloop
from tests.chaos.combination import live_through_combination
from tests.chaos.faults import FAULTS
from tests.chaos.installation import Installation, Needs, installed
from tests.chaos.misfits import MISFITS, Door, Misfit, find_log_faults
from tests.chaos.ordeal import SMALL, Verdict, live_through
from tests.chaos.ordeals import ORDEALS, Ordeal
from tests.chaos.two_environments import live_through_both

from isshoni.verify.percentiles import calculate_percentiles
from isshoni.verify.settings import RunSettings
from isshoni.verify.users import Habits

COUNTS = ("messages", "deliveries", "edits", "lost", "doubled", "reordered", "edits lost")
Found = tuple[Sequence[Verdict], Sequence[str]]
"""The verdict of each environment, and what else was broken."""
Run = Callable[[Installation, int], Awaitable[Found]]


@dataclass
class Tally:
    """The results of all runs of one fault."""

    name: str
    runs: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    gaps_ms: list[float] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """Every broken promise, those without a column included."""

    def add(self, verdicts: Sequence[Verdict], also_broken: Sequence[str]) -> None:
        """Add one run."""
        self.runs += 1
        for verdict in verdicts:
            self._add(verdict)
        self.broken += also_broken

    def _add(self, verdict: Verdict) -> None:
        result = verdict.result
        found = {
            "messages": result.messages.sent,
            "deliveries": result.messages.delivered,
            "edits": result.edits.sent,
            **{name: verdict.faults[name] for name in COUNTS[3:]},
        }
        for name, count in found.items():
            self.counts[name] += count
        self.gaps_ms += [timeline.gap_ms for timeline in result.timelines]
        self.broken += [f"{name}: {count}" for name, count in verdict.broken.items()]

    def to_row(self) -> dict[str, Any]:
        """Return the row of the table."""
        gaps = calculate_percentiles(self.gaps_ms)
        return {
            "fault": self.name,
            "runs": self.runs,
            **self.counts,
            "gap_p50_ms": round(gaps.p50 or 0),
            "gap_p99_ms": round(gaps.p99 or 0),
            "broken": self.broken,
        }


def crowd_of(users: int) -> RunSettings:
    """Return settings for so many users, which together send as much as the few of the tests."""
    share = SMALL.clients / users
    habits = Habits(SMALL.habits.messages_per_second * share, SMALL.habits.edits_per_second * share)
    return replace(SMALL, clients=users, sessions=max(1, users // 4), habits=habits)


def run_of_ordeal(ordeal: Ordeal) -> Run:
    """Return a run in which one fault hits a complete installation with a spare."""

    async def run(installation: Installation, seed: int) -> Found:
        await installation.wait_for_spare()
        return [await ordeal.live_through(installation)], ()

    return run


async def run_two_environments(installation: Installation, seed: int) -> Found:
    """Run a second installation on the Redis of the first, both under load and faults."""
    async with installed(beside=installation) as second:
        return await live_through_both(installation, second), ()


def run_of_misfit(misfit: Misfit) -> Run:
    """Return a run in which a client misbehaves in every session."""

    async def run(installation: Installation, seed: int) -> Found:
        log_faults: list[str] = []

        async def misbehave(sessions: Sequence[str]) -> None:
            doors = [Door(installation.url, session) for session in sessions]
            rng = random.Random(seed)
            await asyncio.gather(*(misfit(door, rng) for door in doors))
            for door in doors:
                log_faults.extend(await find_log_faults(door))

        return [await live_through(installation.url, misbehave)], log_faults

    return run


async def run_combination(installation: Installation, seed: int) -> Found:
    """Run the faults that a seed draws; a broken promise names the seed."""
    found = await live_through_combination(installation, seed)
    beyond = found.broken[len(found.verdict.broken) :]
    if found.broken:
        beyond = [*beyond, f"replay with ISSHONI_CHAOS_SEED={seed}"]
    return [found.verdict], beyond


async def tally(name: str, run: Run, seeds: Sequence[int]) -> Tally:
    """Run a fault once for each seed, all on one installation."""
    found = Tally(name)
    needs = ORDEALS[name].needs if name in ORDEALS else Needs()
    async with installed(needs) as installation:
        for seed in seeds:
            found.add(*await run(installation, seed))
            broken = f", broken: {found.broken}" if found.broken else ""
            print(f"· {name}: run {found.runs} of {len(seeds)}{broken}", file=sys.stderr)
    return found


async def tally_everything(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Run everything that was asked for."""
    users = crowd_of(options.users)
    ordeals = {name: Ordeal(fault, users) for name, fault in FAULTS.items()}
    for name, ordeal in ORDEALS.items():
        ordeals[name] = replace(ordeal, users=users) if ordeal.users == SMALL else ordeal
    runs: dict[str, Run] = {
        **{name: run_of_ordeal(ordeal) for name, ordeal in ordeals.items()},
        **{name: run_of_misfit(misfit) for name, misfit in MISFITS.items()},
        "two_environments": run_two_environments,
    }
    wanted = options.only or list(runs)
    seeds = range(options.seed, options.seed + options.runs)
    tallies = [await tally(name, runs[name], seeds) for name in wanted]
    if options.combinations:
        seeds = range(options.seed, options.seed + options.combinations)
        tallies.append(await tally("random combinations", run_combination, seeds))
    return [found.to_row() for found in tallies]


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print the figures as a table of Markdown, the totals last."""
    head = [name for name in rows[0] if name != "broken"]
    print("| " + " | ".join(name.replace("_", " ") for name in head) + " |")
    print("|---|" + "---:|" * (len(head) - 1))
    for row in rows:
        print("| " + " | ".join(_format(row[name]) for name in head) + " |")
    totals = [sum(row[name] for row in rows) for name in ("runs", *COUNTS)]
    print("| **all** | " + " | ".join(_format(total) for total in totals) + " | | |")


def _format(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value).replace("_", " ")


def main() -> int:
    """Parse the command line, run, print; exit code 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--runs", type=int, default=5, help="of each fault")
    parser.add_argument("--combinations", type=int, default=20, help="random ones")
    parser.add_argument("--users", type=int, default=SMALL.clients, help="where one fault strikes")
    parser.add_argument("--seed", type=int, default=1, help="the first; each run has the next")
    parser.add_argument("--only", nargs="*", metavar="FAULT", help="these faults and no others")
    options = parser.parse_args()
    rows = uvloop.run(tally_everything(options))
    if options.json:
        json.dump(rows, sys.stdout, indent=2)
    else:
        print_table(rows)
    return int(any(row["broken"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
