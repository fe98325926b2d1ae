"""Either relay process is killed in the middle of an upgrade: clients live, or are closed.

Every step is simulated in `test_upgrade_steps`; these are real processes, where the steps differ.
"""

import asyncio
import subprocess
from pathlib import Path

import pytest

from tests.support.relay_process import (
    NumberedClient,
    RelayProcesses,
    connect_clients,
    run_echo,
    talk,
)
from tests.support.waiting import wait_until

CLIENTS = 20
KILLED = {
    "the old one before it passes on its ports": (("before", "Doors"), ()),
    "the old one with clients on their way": (("after", "Clients"), ()),
    "the old one when all was passed on": (("before", "Serve"), ()),
    "the new one before it has anything": ((), ("received", "Doors")),
    "the new one with clients on their way": ((), ("received", "Clients")),
    "the new one when it becomes the relay": ((), ("received", "Serve")),
}


@pytest.mark.parametrize("name", KILLED)
async def test_a_kill_in_an_upgrade_loses_nothing_silently(name: str, tmp_path: Path) -> None:
    old_dies, new_dies = KILLED[name]
    async with run_echo() as port:
        relays = RelayProcesses(tmp_path / "relay", {"blue": port, "green": port})
        await relays.start_first(*old_dies)
        old = relays.current
        assert old is not None
        new = None
        try:
            async with connect_clients(relays.ports["blue"], CLIENTS) as clients:
                talking = asyncio.create_task(talk(clients, 0.002))
                new = relays.start(*new_dies)
                dying = old if old_dies else new
                assert await asyncio.to_thread(dying.wait, 30) == -9
                await serve_again(relays, old, new)
                async with connect_clients(relays.ports["blue"], 1) as later:
                    await later[0].send()
                    await wait_until(lambda: later[0].is_whole, "a new client is served")
                    talking.cancel()
                    await settle(clients)
        finally:
            for process in (old, new, relays.current):
                if process is not None:
                    process.kill()
                    process.wait()


async def serve_again(relays: RelayProcesses, *processes: "subprocess.Popen[bytes]") -> None:
    """Wait until the doors are open; as the supervisor does, start a relay if none is left."""
    for _ in range(600):
        if relays.is_open():
            return
        if all(process.poll() is not None for process in (*processes, relays.current) if process):
            relays.current = relays.start()
        await asyncio.sleep(0.05)
    raise AssertionError("no relay serves within 30 s")


async def settle(clients: list[NumberedClient]) -> None:
    """Wait until each client has all of its numbers, in order and once, or was closed."""
    await wait_until(
        lambda: all(c.is_whole or c.closed_with is not None for c in clients),
        "every client is served, or knows that it is not",
    )
    for client in clients:
        assert client.got == list(range(len(client.got)))
