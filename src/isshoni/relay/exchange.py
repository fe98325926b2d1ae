"""What a client's socket needs of the relay that it belongs to."""

from typing import Protocol, TypeVar

from isshoni.relay.core.handshake import Answer, Handshake
from isshoni.relay.core.moves import Timing
from isshoni.relay.core.profiles.profile import Profile
from isshoni.relay.doors import Address

Client = TypeVar("Client", contravariant=True)


class Exchange(Protocol[Client]):
    """What the relay does for its clients' sockets."""

    @property
    def timing(self) -> Timing:
        """How long each part of a move may take."""

    def choose(self, client: Client) -> list[tuple[str, Address]]:
        """Return the programs to try for a new client, with their colours, the best one first."""

    def make_profile(self, handshake: Handshake, colour: str, answer: Answer) -> Profile:
        """Return the profile of a new client's protocol, once its program has answered."""

    def entered(self, client: Client) -> None:
        """Record a client whose WebSocket is open."""

    def left(self, client: Client) -> None:
        """Record the end of such a client."""

    def answered(self, colour: str, status: int | None, *, is_move: bool = False) -> None:
        """Count the answer of a program to a handshake; None: there was none."""

    def refused(self, door: str, status: int) -> None:
        """Count a client that got no WebSocket."""

    def reads(self, client: Client, reads: bool) -> None:
        """Record that a client reads what it is sent, or does not."""
