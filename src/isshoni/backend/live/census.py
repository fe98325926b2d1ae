"""Count connections, in all and by address, and refuse those above the limits."""

from isshoni.backend.live.admission import Refused
from isshoni.backend.live.held_bytes import HeldBytes
from isshoni.backend.settings.limits import Limits
from isshoni.session.close_codes import CloseCode

CEILING = 2
"""Hard ceiling, as a multiple of the limit: one colour must have room for the clients of both."""


class Census:
    """The counts of this process against its limits."""

    def __init__(self, limits: Limits, affordable: int) -> None:
        self._limits = limits
        self._affordable = affordable
        """The number of connections that the limit on open files allows."""
        self._by_address: dict[str, int] = {}
        self._held: dict[str, HeldBytes] = {}
        self.connections = 0

    def check(self, address: str | None, sessions: int, in_session: int) -> None:
        """Raise `Refused` if a limit is reached; `in_session` is 0 for a new session."""
        limits = self._limits
        self._check_files()
        if self.connections >= limits.connections:
            raise _full("this server")
        if in_session == 0 and sessions >= limits.sessions:
            raise _full("this server (sessions)")
        if in_session >= limits.connections_per_session:
            raise _full("this session")
        if address and self._by_address.get(address, 0) >= limits.connections_per_address:
            raise _full("what one address may have")

    def check_mover(self) -> None:
        """Raise `Refused` when there is no room even for a connection that moves here."""
        self._check_files()
        if self.connections >= CEILING * self._limits.connections:
            raise _full("this server")

    def _check_files(self) -> None:
        if self.connections >= self._affordable:
            raise _full("this server (open files)")

    def enter(self, address: str | None) -> HeldBytes | None:
        """Count a connection; return the count of bytes that it shares with its address."""
        self.connections += 1
        if address is None:
            return None
        self._by_address[address] = self._by_address.get(address, 0) + 1
        return self._held.setdefault(address, HeldBytes(self._limits.address_bytes))

    def leave(self, address: str | None) -> None:
        """Subtract a connection that has ended."""
        self.connections -= 1
        if address is not None:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]
                del self._held[address]


def _full(what: str) -> Refused:
    return Refused(CloseCode.TRY_AGAIN_LATER, f"{what} is full")
