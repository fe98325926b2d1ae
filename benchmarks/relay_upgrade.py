r"""Replace the relay again and again under open sockets: closes, losses, longest waits (T13).

    scripts/bench relay_upgrade                         100 upgrades under 1,000 sockets
    scripts/bench relay_upgrade --clients 100 --upgrades 5

Stock clients send numbers through the relay to a program that sends them back.
"""

import argparse
import asyncio
import math
import subprocess
import tempfile
import time
from pathlib import Path

from tests.support.relay_process import (
    NumberedClient,
    RelayProcesses,
    connect_clients,
    run_echo,
    talk,
    wait_until_whole,
)


def _percentile(values: list[float], pct: float) -> float:
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * pct / 100) - 1)]


def _take_waits(clients: list[NumberedClient]) -> list[float]:
    """Return each client's longest wait for an answer so far, and begin again."""
    waits = [client.slowest_seconds for client in clients if client.slowest_seconds]
    for client in clients:
        client.slowest_seconds = 0.0
    return waits


def _print_waits(what: str, waits: list[float]) -> None:
    p50, p99, most = (_percentile(waits, pct) * 1000 for pct in (50, 99, 100))
    print(f"longest wait of a client, {what}: {p50:.1f} ms p50, {p99:.0f} p99, {most:.0f} max")


async def measure(clients: int, upgrades: int, rate: float) -> bool:
    """Run the upgrades, and print what the clients saw; return False if a message is missing."""
    with tempfile.TemporaryDirectory() as directory:
        async with run_echo() as port:
            ports = {"blue": port, "green": port}
            relays = RelayProcesses(Path(directory) / "relay", ports, output=subprocess.DEVNULL)
            await relays.start_first()
            try:
                async with connect_clients(relays.ports["blue"], clients) as crowd:
                    return await _run(relays, crowd, upgrades, rate)
            finally:
                relays.kill()


async def _run(
    relays: RelayProcesses, crowd: list[NumberedClient], upgrades: int, rate: float
) -> bool:
    talking = asyncio.create_task(talk(crowd, 1 / rate))
    await asyncio.sleep(len(crowd) / rate + 2)
    _take_waits(crowd)
    await asyncio.sleep(10)
    quiet = _take_waits(crowd)
    began = time.monotonic()
    failed = 0
    waits = []
    for _ in range(upgrades):
        failed += await relays.upgrade() != 0
        waits += _take_waits(crowd)
    seconds = time.monotonic() - began
    talking.cancel()
    closed = sum(client.closed_with is not None for client in crowd)
    try:
        await wait_until_whole(crowd)
        whole = True
    except AssertionError:
        whole = False
    damaged = sum(not client.is_whole for client in crowd)
    sent = sum(client.sent for client in crowd)
    print(f"{upgrades} upgrades under {len(crowd)} sockets, {seconds / upgrades:.2f} s each")
    print(f"messages: {sent}, {rate:.0f} sent a second; upgrades that failed: {failed}")
    print(f"sockets closed: {closed}; with a message lost, doubled or reordered: {damaged}")
    _print_waits("10 s without an upgrade", quiet)
    _print_waits("during one upgrade", waits)
    await _kill(relays, crowd)
    return whole and not failed


async def _kill(relays: RelayProcesses, crowd: list[NumberedClient]) -> None:
    began = time.monotonic()
    relays.kill()
    await relays.start_first()
    seconds = time.monotonic() - began
    await asyncio.gather(*(client.reading for client in crowd))
    closed = sum(client.closed_with is not None for client in crowd)
    print(f"kill -9: {closed} sockets closed; a new relay accepts after {seconds:.1f} s")


def main() -> int:
    """Run the benchmark; exit code 1 if a socket was closed or a message is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--upgrades", type=int, default=100)
    parser.add_argument("--rate", type=float, default=500.0, help="messages a second")
    given = parser.parse_args()
    return 0 if asyncio.run(measure(given.clients, given.upgrades, given.rate)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
