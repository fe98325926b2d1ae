"""What the run orders of a process of stock clients: lines of JSON on its stdin."""

import msgspec


class ClientPlan(msgspec.Struct, frozen=True):
    """One client: everything that is its own."""

    number: int
    room: str
    url: str
    message: str
    """With `{id}` in it."""
    joins: tuple[str, ...] = ()
    auth: str | None = None


class Plan(msgspec.Struct, frozen=True):
    """The first line: the clients of a process."""

    kind: str
    run: str
    clients: tuple[ClientPlan, ...]
    every_seconds: float
    """Between two messages of one client."""
    connects_per_second: float
    path: str | None = None
    probe_rooms: tuple[str, ...] = ()
    """The rooms whose documents this process reads with a new client at the end."""


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """A further line: `trial`, `talk`, `stop` or `read`; the end of stdin ends the process."""

    do: str
    client: int | None = None
    """Of a trial: who sends it."""
    id: str | None = None
