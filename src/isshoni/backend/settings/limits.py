"""How much one process accepts, from all clients together and from each."""

from dataclasses import dataclass, field

from isshoni.backend.settings.file_types import FileTypes
from isshoni.session.server.token_bucket import Rate, TokenBucket


@dataclass(frozen=True)
class Limits:
    """Every bound on what clients may do; docs/security.md says what each is for."""

    connections: int = 20_000
    """In this process."""
    sessions: int = 10_000
    """With connections in this process."""
    connections_per_session: int = 1_000
    """In this process."""
    connections_per_address: int = 200
    """In this process; this machine's own are not counted."""
    address_bytes: int = 24 * 1024 * 1024
    """Kept for all connections of an address: what they have not read, or not sent to the end."""
    hello_seconds: float = 60.0
    """From the handshake to a restore, or to a binary frame."""
    chat: Rate = field(default=Rate(50.0, 1_000.0))
    """Messages of one connection."""
    requests: Rate = field(default=Rate(10.0, 100.0))
    """Pings, restores and the like of one connection."""
    refusals: Rate = field(default=Rate(20.0, 5_000.0))
    """Frames of one connection that are refused for its rate, before it is closed."""
    canvas_frames: Rate = field(default=Rate(300.0, 2_000.0))
    """Binary frames of one connection; frames above this rate wait."""
    canvas_frame_bytes: Rate = field(default=Rate(2_000_000.0, 16_000_000.0))
    """Bytes of those frames; frames above this rate wait."""
    awareness_per_second: float = 30.0
    """Publications of one connection; above this rate only the newest is published."""
    awareness_bytes: int = 64 * 1024
    """One awareness message."""
    canvas_bytes: int = 20_000_000
    """One canvas as it is stored."""
    http: Rate = field(default=Rate(50.0, 500.0))
    """HTTP requests on sessions from one address; this machine's own are not counted."""
    file_bytes: int = 4 * 1024 * 1024
    """One file of a session."""
    files_bytes: int = 40 * 1024 * 1024
    """All files of a session, as they are stored."""
    file_types: FileTypes = field(default_factory=FileTypes)


class TextMeter:
    """Counts the text frames of one connection against the limits."""

    __slots__ = ("chat", "refusals", "requests")

    def __init__(self, limits: Limits) -> None:
        self.chat = TokenBucket(limits.chat)
        self.requests = TokenBucket(limits.requests)
        self.refusals = TokenBucket(limits.refusals)


class FrameMeter:
    """Counts the binary frames of one connection against the limits."""

    __slots__ = ("frames", "size_bytes")

    def __init__(self, limits: Limits) -> None:
        self.frames = TokenBucket(limits.canvas_frames)
        self.size_bytes = TokenBucket(limits.canvas_frame_bytes)

    def take(self, now: float, size_bytes: int) -> bool:
        """Count a frame; False, with nothing counted, if it has to wait."""
        if self.frames.take(now):
            return False
        if self.size_bytes.take(now, size_bytes):
            self.frames.put_back()
            return False
        return True
