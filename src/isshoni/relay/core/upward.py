"""The frames of a client on their way to its program."""

from collections.abc import Callable
from typing import Protocol

from isshoni.relay.core.frames import CLOSE, FrameCutter, make_frame
from isshoni.relay.core.messages import Message, MessageJoiner, is_between_passed
from isshoni.relay.core.profiles.profile import Profile

MAX_KEPT_BYTES = 4 << 20
"""The most that is kept for one client, in each direction."""
MOST_OF_OLD_BYTES = 8 * MAX_KEPT_BYTES
"""For the old program's last messages, which cannot be passed on in pieces."""


class Pipe(Protocol):
    """A socket, as far as a link uses it."""

    def write(self, data: bytes) -> None:
        """Send bytes, or queue them; never waits, never raises."""

    def finish(self) -> None:
        """Let the other end know, after what was written, that no more will come."""

    def end(self) -> None:
        """Close the socket after what was written."""


class Upward:
    """Passes a client's bytes on as they come, by its profile, or holds them.

    `make_key` returns the mask of a frame of the relay's own: 4 random bytes.
    """

    def __init__(self, profile: Profile, make_key: Callable[[], bytes]) -> None:
        self._profile = profile
        self._make_key = make_key
        self._cutter = FrameCutter()
        self._joiner = MessageJoiner()
        self._held: list[Message] | None = None
        self._held_unread: list[bytes] | None = None
        """What comes after it and is not read: by the profile's wish, or as it breaks the rules."""
        self.is_finished = False
        """True once the client sends no more."""
        self._held_bytes = 0
        self.last_at = 0.0
        """When the client last sent something, in seconds."""

    @property
    def is_between_messages(self) -> bool:
        """True if the client is not in the middle of a message."""
        if self._held is not None:
            return True  # nothing of an unfinished message was passed on
        return self._cutter.at_boundary and not self._joiner.kept_bytes

    @property
    def is_between_passed(self) -> bool:
        """True if no message of the client was passed on in part."""
        return is_between_passed(self._cutter, self._joiner)

    @property
    def is_holding(self) -> bool:
        """True while what the client sends is held."""
        return self._held is not None or self._held_unread is not None

    @property
    def held_bytes(self) -> int:
        """Return how many bytes of the client are held."""
        if self._held is None:
            return self._held_bytes
        return self._held_bytes + self._cutter.kept_bytes + self._joiner.kept_bytes

    @property
    def closing(self) -> bool:
        """True once the client has sent a close frame."""
        return self._cutter.closing

    def receive(self, data: bytes, now: float, program: Pipe) -> None:
        """Pass on bytes of the client, or hold them."""
        self.last_at = now
        if self._held_unread is not None:
            self._held_unread.append(data)
            self._held_bytes += len(data)
        elif self._held is not None or self._profile.reads_client:
            self._read(data, now, program)
        else:
            if self._cutter.kept_bytes or self._joiner.kept_bytes:
                # The profile stopped reading in the middle of a message.
                program.write(self._joiner.release() + self._cutter.release())
            self._cutter.follow(data)
            program.write(data)

    def _read(self, data: bytes, now: float, program: Pipe) -> None:
        rest, frames = self._cutter.cut(data)
        program.write(rest)
        for frame in frames:
            message = self._joiner.add(frame)
            if message is None:
                continue
            if self._held is None or self._goes_past(message):
                self._pass(message, now, program)
            else:
                self._held.append(message)
                self._held_bytes += len(message.data)
        if self._held is None:
            self._bound(program)
        elif self._cutter.is_broken:
            self._held_unread = [self._joiner.release() + self._cutter.release()]

    def _goes_past(self, message: Message) -> bool:
        return 0 < message.opcode < CLOSE and self._profile.goes_past_hold(message)

    def _bound(self, program: Pipe) -> None:
        """Pass on an unfinished message that is too large to be kept, or need not be read."""
        kept_bytes = self._cutter.kept_bytes + self._joiner.kept_bytes
        is_over = kept_bytes > MAX_KEPT_BYTES or self._cutter.is_broken
        if is_over or not self._profile.reads_client:
            program.write(self._joiner.release() + self._cutter.release())

    def _pass(self, message: Message, now: float, program: Pipe) -> None:
        if message.opcode == CLOSE:
            program.write(self._joiner.release())
        if message.opcode >= CLOSE or not message.opcode:
            program.write(message.data)
            return
        for passed in self._profile.from_client(message, now):
            if passed is message:
                program.write(message.data)  # masked by the client
            else:
                self.send(passed.opcode, passed.payload, program)

    def send(self, opcode: int, payload: bytes, program: Pipe) -> None:
        """Send a frame that is not the client's own to a program."""
        program.write(make_frame(opcode, payload, self._make_key()))

    def hold(self) -> None:
        """Keep from now on what the client sends, until `let_go`."""
        if self._profile.reads_client:
            self._held = []
        else:
            self._held_unread = []

    def let_go(self, program: Pipe) -> None:
        """Pass on what is held, to the program that is current now."""
        held, self._held = self._held, None
        unread, self._held_unread, self._held_bytes = self._held_unread, None, 0
        for message in held or ():
            self._pass(message, self.last_at, program)
        if held is not None:
            self._bound(program)
        for data in unread or ():
            self.receive(data, self.last_at, program)

    def finish(self, program: Pipe) -> None:
        """Pass on all that is left, and that the client sends no more."""
        self.let_go(program)
        program.write(self._joiner.release() + self._cutter.release())
        self.is_finished = True
        program.finish()
