"""What a client reports to its listener."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from isshoni.session.from_server import ChatEvent
from isshoni.session.timeline import Hole


class ConnectionState(StrEnum):
    """What became of a client's connection."""

    RESTORED = "restored"
    """There was none, and now there is."""
    MOVED = "moved"
    """Make before break: the client was never without one."""
    LOST = "lost"
    """It is gone; the client comes back by itself."""
    REFUSED = "refused"
    """The server forbids coming back (4400–4499); the client stays away."""


@dataclass(frozen=True, slots=True)
class ConnectionChange:
    """One change of a client's connection."""

    state: ConnectionState
    generation: int
    server_version: str | None = None
    """Where the client is now, or was when it lost the connection."""
    colour: str | None = None
    region: str | None = None
    """The region that it is in; None without regions."""
    gap_seconds: float | None = None
    """Without an open, restored connection; 0 for a move, None at first and when lost."""
    close_code: int | None = None
    """Why it was lost; 1006 when there was no close frame."""


class ClientListener:
    """All reports of a client; override those that you need.

    `at` is `time.monotonic()`. Called from the event loop, in order: return soon. What a report
    raises is logged (`isshoni.client`), and the client goes on.
    """

    def on_connection(self, change: ConnectionChange, at: float) -> None:
        """Handle a new, moved, lost or refused connection."""

    def on_chat(self, event: ChatEvent, at: float) -> None:
        """Handle a message of the session: each once, in order."""

    def on_raw_chat(self, event: ChatEvent, generation: int, replayed: bool, at: float) -> None:
        """Handle a message as connection `generation` brought it, doubled or not."""

    def on_ack(self, n: int, seq: int | None, at: float) -> None:
        """Handle the acknowledgement of our message `n`: each n once, in order.

        `seq` is None where the server did not say: a resend, or one of several that
        were acknowledged together.
        """

    def on_numbered(self, changes: Mapping[int, int], at: float) -> None:
        """Handle messages whose numbers changed: old number → new number.

        A number from `send_chat` is provisional before the first restore is answered. The log
        may also have used it for a message of an earlier life of this client_id, or of a
        duplicate; and after a refused message the next ones move up.
        """

    def on_doubtful(self, n: int, text: str, at: float) -> None:
        """Handle a message that may or may not have been in the log.

        It was sent before the oldest message that the log still has, and not acknowledged.
        It is not sent again automatically, and no longer counts as unsaved.
        """

    def on_refused(self, n: int, text: str, reason: str, at: float) -> None:
        """Handle a message that the server will never accept.

        It no longer counts as unsaved. Unsent messages after it have other numbers now (see
        `on_numbered`), and are sent.
        """

    def on_saved(self, unsaved_edits: int, at: float) -> None:
        """Handle saved canvas edits; `unsaved_edits` are not saved yet."""

    def on_hole(self, missing: Hole, at: float) -> None:
        """Handle skipped messages; the client asks for a restore when that can help."""

    def on_log_restarted(self, at: float) -> None:
        """Handle a log of another epoch: forget the messages before."""

    def on_error(self, code: str, message: str, at: float) -> None:
        """Handle an error of the server, or of a frame that it sent."""
