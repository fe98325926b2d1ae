"""One client's sockets and state on their way to another process."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from isshoni.relay.core.saved import load, save
from isshoni.relay.passable_client import PassableClient
from isshoni.relay.program_socket import ProgramSocket
from isshoni.relay.relay import Relay
from isshoni.relay.stream import Parked
from isshoni.relay.upgrade.messages import ClientRecord


def record_client(relay: Relay, client: PassableClient) -> ClientRecord:
    """Return the state of a client; raises `CannotSave`."""
    program = client.program
    shared = relay.shared() | {"client": client, "program": program}
    return ClientRecord(
        door=client.door,
        state=save(client.save(), shared),
        subprotocol=None if program is None else program.subprotocol,
        has_program=program is not None,
    )


def load_client(relay: Relay, record: ClientRecord) -> PassableClient:
    """Return the client of a record, without its sockets; raises `CannotLoad`."""
    client = PassableClient(relay, record.door)
    program = ProgramSocket.answered_before(record.subprotocol) if record.has_program else None
    shared = relay.shared() | {"client": client, "program": program}
    client.restore(load(record.state, shared), program)
    return client


@dataclass
class Passing:
    """A client whose sockets are freed from the event loop, to be passed on."""

    client: PassableClient
    record: ClientRecord
    _parking: "Sequence[asyncio.Future[Parked]]"
    sockets: Sequence[Parked] = ()

    @classmethod
    def begin(cls, relay: Relay, client: PassableClient, record: ClientRecord) -> "Passing":
        """Stop serving a client, which can be parked and whose state was just recorded."""
        relay.left(client)
        return cls(client, record, client.park())

    async def complete(self) -> None:
        """Wait until the event loop has freed the sockets."""
        self.sockets = await asyncio.gather(*self._parking)
        self.record.unsent = [one.unsent for one in self.sockets]

    async def undo(self, relay: Relay) -> None:
        """Serve the client again."""
        await continue_client(relay, self.client, self.sockets)

    def close(self) -> None:
        """Close this process's descriptors."""
        sockets, self.sockets = self.sockets, ()
        for one in sockets:
            one.close()


async def continue_client(relay: Relay, client: PassableClient, sockets: Sequence[Parked]) -> None:
    """Serve a client whose sockets were parked."""
    await client.continue_with(sockets)
    if client.is_open:
        relay.resume(client)
