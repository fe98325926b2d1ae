"""A relay in front of programs that do as a test asks them."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from isshoni.relay.client_socket import ClientSocket
from isshoni.relay.core.moves import Failure, Timing
from tests.integration.relay.conftest import Doors, serve_relay
from tests.integration.relay.raw_sockets import (
    RawConnection,
    RawProgram,
    run_raw_programs,
)

QUICK = Timing(dial_seconds=2.0, old_seconds=0.5)


@dataclass
class Bench:
    """A relay in front of programs that do as they are asked."""

    doors: Doors
    programs: dict[str, RawProgram]

    @property
    def port(self) -> int:
        """Return the port of the door that clients come by."""
        return self.doors.ports["blue"]

    def connection(self, colour: str, path: str = "/") -> RawConnection:
        """Return a program's connection for a client."""
        found = self.programs[colour].connection(path)
        assert found is not None
        return found

    def only_client(self) -> ClientSocket:
        """Return the client that there is."""
        (client,) = self.doors.relay.clients_of("blue") + self.doors.relay.clients_of("green")
        return client

    async def move(self, to: str = "green") -> Failure | None:
        """Move the client that there is."""
        client = self.only_client()
        self.doors.relay.arm(client)
        return await self.doors.relay.move(client, to)


@contextlib.asynccontextmanager
async def run_bench(*, answers: bool = True, closes: bool = True) -> AsyncIterator[Bench]:
    """Serve a relay and its programs."""
    async with run_raw_programs(answers=answers, closes=closes) as programs:
        ports = {colour: program.port for colour, program in programs.items()}
        async with serve_relay(ports, timing=QUICK) as doors:
            yield Bench(doors, programs)
