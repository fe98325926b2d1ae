"""The messages of programs on their way to the client."""

from isshoni.relay.core.behind import Lag
from isshoni.relay.core.frames import CLOSE, make_frame
from isshoni.relay.core.leg import Leg
from isshoni.relay.core.messages import FRAME_BYTES, Message
from isshoni.relay.core.overlap import Overlap
from isshoni.relay.core.profiles.profile import Profile
from isshoni.relay.core.sides import Side
from isshoni.relay.core.upward import MAX_KEPT_BYTES, Pipe

CLOSE_SECONDS = 5.0
"""For a client to answer a close frame that is not its program's."""
ENOUGH_BYTES = MAX_KEPT_BYTES // 4
"""Of messages that are kept until the switch: it does not wait for the old program any longer."""

_POLICY = 1008
_APPLICATION_CODES = range(3000, 5000)


class Downward:
    """Writes to the client, and nothing into the middle of a message that was passed on in part.

    After a close frame of the relay's own the client gets nothing more. While it is armed, what
    both programs deliver is delivered once.
    """

    def __init__(self, client: Pipe, profile: Profile, window_seconds: float) -> None:
        self._client = client
        self._profile = profile
        self._window_seconds = window_seconds
        self._overlap: Overlap | None = None
        self._late: list[bytes] = []
        """Whole messages that wait until one which was passed on in part has ended."""
        self.late_bytes = 0
        self._close_payload: bytes | None = None
        """Of a close frame that waits until a frame which was passed on in part has ended."""
        self._closed_until: float | None = None

    @property
    def is_closing(self) -> bool:
        """True once the relay closes the client's WebSocket by itself."""
        return self._closed_until is not None

    def write(self, data: bytes) -> None:
        """Send bytes of the current program."""
        if data and not self.is_closing:
            self._client.write(data)

    # Messages that are compared

    @property
    def is_armed(self) -> bool:
        """True while messages are counted."""
        return self._overlap is not None

    def arm(self, current: Leg, window_seconds: float) -> None:
        """Begin to count messages; the current program is the old one from now on."""
        if self._overlap is None:
            self._overlap = Overlap(window_seconds)
        self._overlap.widen(window_seconds)
        current.side = Side.OLD

    def disarm(self, lag: Lag) -> None:
        """Forget what was counted, but not whether both programs delivered the same."""
        if self._overlap is not None:
            lag.share(self._overlap.dropped)
        self._overlap = None

    def keep(self, since: float | None) -> None:
        """Remember all deliveries since then, however old; None: those of the usual time."""
        if self._overlap is not None:
            self._overlap.since = since
            self._overlap.behind = None

    def compare(self, now: float) -> None:
        """Find out from now on whether the old program is behind the new one."""
        if self._overlap is not None:
            self._overlap.compare(now)

    def is_behind(self, lag: Lag, now: float) -> bool:
        """True while the old program may be behind with what the new one has delivered."""
        if self._overlap is None:
            return False
        self._overlap.widen(lag.window(now, self._window_seconds))
        return self._overlap.is_behind(lag, now)

    def keep_back(self, leg: Leg, message: Message, now: float) -> None:
        """Keep a message of the new program until the old one's last messages were delivered."""
        leg.keep(message)
        if self._overlap is None:
            return
        if leg.waiting_bytes > ENOUGH_BYTES:
            self._overlap.behind = None
        elif (key := self._profile.key(message)) is not None:
            self._overlap.keep_back(key, now)

    def deliver(self, leg: Leg, message: Message, current: Leg, now: float) -> None:
        """Send a message of either program, unless the other one has delivered it."""
        key = self._profile.key(message)
        if (
            self._overlap is None
            or key is None
            or not self._overlap.is_repeat(leg.number, key, now)
        ):
            self.send(leg, message.data, current)

    def flush(self, current: Leg, now: float) -> None:
        """Deliver the messages of the new program that waited."""
        waiting, current.waiting, current.waiting_bytes = current.waiting, [], 0
        for message in waiting:
            self.deliver(current, message, current, now)
        self.keep(None)

    def send(self, leg: Leg, data: bytes, current: Leg) -> None:
        """Send a whole message or control frame of either program."""
        if leg is current:
            self.write(data)
        else:
            self.send_between(data, current)

    # In between

    def send_between(self, data: bytes, current: Leg) -> None:
        """Send a whole message of another origin, once the current program's has ended."""
        if current.is_between_passed:
            self.write(data)
        else:
            self._late.append(data)
            self.late_bytes += len(data) + FRAME_BYTES

    def send_late(self, current: Leg) -> None:
        """Send what had to wait, if it need not wait any more."""
        if self._late and current.is_between_passed:
            self.write(b"".join(self._late))
            self._late, self.late_bytes = [], 0

    def close(self, payload: bytes, current: Leg, now: float) -> None:
        """Send a close frame: a code of two bytes, and a reason."""
        if self.is_closing:
            return
        self._closed_until = now + CLOSE_SECONDS
        self._close_payload = payload
        if current.cutter.closing:
            self._closed_until = now
        elif not current.cutter.in_frame:
            self._send_close()

    def continue_close(self, current: Leg, data: bytes) -> None:
        """Send the end of a frame that was passed on in part; then the close frame."""
        if self._close_payload is None:
            return
        rest, _ = current.cutter.cut(data)
        self._client.write(rest)
        if not current.cutter.in_frame:
            self._send_close()

    def _send_close(self) -> None:
        assert self._close_payload is not None
        self._client.write(make_frame(CLOSE, self._close_payload))
        self._close_payload = None

    def tick(self, now: float) -> None:
        """End the socket of a client that has not answered the close frame in time."""
        if self._closed_until is not None and now >= self._closed_until:
            self._client.end()

    def finish(self) -> None:
        """Let the client know that no more will come."""
        self._client.finish()

    def end(self) -> None:
        """Close the client's socket."""
        self._client.end()


def is_own_close(payload: bytes) -> bool:
    """True for a close code that is an application's own, not an answer to the relay's close."""
    code = int.from_bytes(payload[:2], "big")
    return code == _POLICY or code in _APPLICATION_CODES
