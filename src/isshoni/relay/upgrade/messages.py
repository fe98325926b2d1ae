"""What the two relays of an upgrade send each other; unknown fields are ignored."""

import msgspec

VERSION = 1
"""Of these messages and their order. Additions keep it."""


class Message(msgspec.Struct, tag=True, omit_defaults=True):
    """Any message."""


class Hello(Message):
    """The new relay begins: the versions of messages and of states that it can read."""

    versions: list[int]
    state_versions: list[int]
    release: str = ""


class Welcome(Message):
    """The serving relay agrees. With it come tokens: for the batches, and for being the relay."""

    release: str = ""


class Refused(Message):
    """The sender cannot go on; the relay that serves goes on serving."""

    reason: str


class Rehearsal(Message):
    """The states of some clients without their sockets: can the new relay read them?"""

    clients: list["ClientRecord"]


class Readable(Message):
    """It can."""


class Doors(Message):
    """The listening sockets come with it: of each colour its door and its admin port."""

    colours: list[str]
    relay: "RelayRecord"


class Clients(Message):
    """Clients with their sockets: one of each client, and that of its program if it has one."""

    clients: list["ClientRecord"]


class Taken(Message):
    """The new relay serves what came last."""


class Serve(Message):
    """All clients were passed on, but those whose handshake or close is under way."""


class Finished(Message):
    """The relay before has no client any more."""


class ClientRecord(msgspec.Struct, omit_defaults=True):
    """One client."""

    door: str
    state: bytes
    """What `PassableClient.save` returned, as `core/saved.py` has it."""
    subprotocol: str | None = None
    has_program: bool = True
    unsent: list[bytes] = []
    """For each of its sockets, what the peer must get first."""
    deadline: float = 0.0
    """Of a running move: when the client is closed if it could not be moved; 0: not tried yet."""
    tries: int = 0


class MoveRecord(msgspec.Struct, omit_defaults=True):
    """A running move of a colour's clients."""

    order: dict[str, float | str]
    asked: int = 0
    moved: int = 0
    closed: int = 0
    closed_for: dict[str, int] = {}


class AdminRecord(msgspec.Struct, omit_defaults=True):
    """What the admin port of a colour was asked for."""

    started_at: float
    release: str = ""
    """What was behind the door when this was asked for."""
    draining: bool = False
    move: MoveRecord | None = None
    within: dict[str, MoveRecord] = {}
    """Running moves of the clients of one process to the others, by the name of the process."""


class RelayRecord(msgspec.Struct, omit_defaults=True):
    """What belongs to no client."""

    counters: dict[str, dict[str, int | dict[str, int]]]
    last_move_at: float
    admins: dict[str, AdminRecord]


Any = Hello | Welcome | Refused | Rehearsal | Readable | Doors | Clients | Taken | Serve | Finished
_DECODER = msgspec.msgpack.Decoder(Any)


def encode(message: Message) -> bytes:
    """Return a message as bytes."""
    return msgspec.msgpack.encode(message)


def decode(data: bytes) -> Message:
    """Parse a message; raises `msgspec.DecodeError`."""
    message: Message = _DECODER.decode(data)
    return message
