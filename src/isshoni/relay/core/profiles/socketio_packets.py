"""The packets of Socket.IO 5 inside messages of Engine.IO 4."""

import json
import re
from dataclasses import dataclass, replace

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK = b"0123456"
EVENTS = (EVENT, BINARY_EVENT)
ACKS = (ACK, BINARY_ACK)
_PACKET = re.compile(rb"4([0-6])(?:(\d+)-)?(?:(/[^,]*),)?(\d+)?(.*)", re.DOTALL)
_NAME = re.compile(rb'\s*\[\s*"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Packet:
    """A Socket.IO packet, without its attachments."""

    kind: int
    attachments: int
    namespace: bytes
    id: bytes | None
    data: bytes

    @property
    def event(self) -> bytes | None:
        """Return the name of an event, as JSON has it; None if there is none."""
        found = _NAME.match(self.data)
        return found[1] if found else None

    def encode(self, number: bytes | None) -> bytes:
        """Return the packet as an Engine.IO message, with another id."""
        attachments = b"%d-" % self.attachments if self.kind >= BINARY_EVENT else b""
        namespace = b"" if self.namespace == b"/" else self.namespace + b","
        return b"4%c%b%b%b%b" % (self.kind, attachments, namespace, number or b"", self.data)


def parse_packet(payload: bytes) -> Packet | None:
    """Return the Socket.IO packet of an Engine.IO message; None for anything else."""
    found = _PACKET.fullmatch(payload)
    if found is None:
        return None
    kind, attachments, namespace, number, data = found.groups()
    return Packet(kind[0], int(attachments or 0), namespace or b"/", number, data)


def without_recovery(packet: Packet) -> bytes:
    """Return a connect packet that asks a new program for no earlier session.

    A client that has once come back asked for the messages since then: a new program would
    send them all again.
    """
    try:
        auth = json.loads(packet.data or b"null")
    except ValueError:
        auth = None  # the program refuses it
    if isinstance(auth, dict) and "pid" in auth:
        kept = {name: value for name, value in auth.items() if name not in ("pid", "offset")}
        packet = replace(packet, data=json.dumps(kept).encode())
    return packet.encode(packet.id)
