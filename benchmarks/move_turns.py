"""What a move costs the process that the sessions leave, turn by turn, with many connections.

    scripts/bench move_turns                    20,000 connections in 2,000 sessions
    scripts/bench move_turns --connections 1000

A turn comes 50 times a second while clients are to be asked; a status is read four times a second.
"""

import argparse
import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from isshoni.backend.live.migration import Migration
from isshoni.backend.live.websocket_manager import WebSocketManager
from isshoni.backend.metrics.counters import Counters
from isshoni.session.server.order import MigrationOrder


@dataclass(frozen=True)
class Client:
    """A client that can move."""

    can_migrate: bool = True


@dataclass(eq=False, slots=True)
class Connection:
    """A connection that does nothing when it is asked to move."""

    session_id: str
    client: Client = field(default_factory=Client)
    gone: bool = False

    def ask_to_move(self, to: str, within_seconds: float) -> None:
        """Do nothing: the cost of the frame is the same however clients are chosen."""


class Manager:
    """Connections by session, as the real manager lists them."""

    def __init__(self, connections: int, size: int) -> None:
        self.watcher: Any = None
        sessions = range(connections // size)
        self.sessions = [[Connection(f"room-{it}") for _ in range(size)] for it in sessions]

    def connections_by_session(self) -> list[list[Connection]]:
        """Return copies, as the real one does."""
        return [list(session) for session in self.sessions]


def measure(work: Callable[[], object], times: int = 200) -> float:
    """Return the milliseconds that `work` takes, on average."""
    began = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - began) / times * 1000


async def run(connections: int, size: int) -> None:
    """Measure a canary that moves, one that bakes, and the move of all."""
    manager = Manager(connections, size)
    counters = Counters()
    slow = MigrationOrder("green", 1e-9, 3600.0, 10.0)
    migration = Migration(cast(WebSocketManager, manager), slow, counters)
    migration.run_turn(time.monotonic())
    waiting = measure(lambda: migration.run_turn(time.monotonic()))
    print(f"turn before any may be asked   {waiting:8.4f} ms of each 20 ms")
    migration.change_order(MigrationOrder("green", 1e5, 3600.0, 10.0))
    while migration.asked < migration.status()["remaining"]:  # type: ignore[operator]
        migration.run_turn(time.monotonic())
        await asyncio.sleep(0)
    baking = measure(lambda: migration.run_turn(time.monotonic()))
    print(f"turn when all were asked      {baking:8.4f} ms of each 20 ms")
    print(f"status                        {measure(migration.status):8.4f} ms")
    before = migration.turns
    await asyncio.sleep(1.0)
    print(f"turns in a second of a bake   {migration.turns - before:8}")
    migration.cancel()


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--connections", type=int, default=20_000)
    parser.add_argument("--session-size", type=int, default=10)
    options = parser.parse_args()
    asyncio.run(run(options.connections, options.session_size))


if __name__ == "__main__":
    main()
