"""The connection of one client to one program."""

from dataclasses import dataclass, field

from isshoni.relay.core.frames import FrameCutter
from isshoni.relay.core.messages import FRAME_BYTES, Message, MessageJoiner, is_between_passed
from isshoni.relay.core.profiles.profile import Profile
from isshoni.relay.core.sides import Side
from isshoni.relay.core.upward import Pipe, Upward


@dataclass(slots=True, eq=False)
class Leg:
    """The connection to one program."""

    pipe: Pipe
    colour: str
    number: int = 0
    """0 is the first; each move opens the next one."""
    side: Side = Side.OLD
    cutter: FrameCutter = field(default_factory=FrameCutter)
    joiner: MessageJoiner = field(default_factory=MessageJoiner)
    waiting: list[Message] = field(default_factory=list)
    """Messages that wait for the old program's last ones."""
    waiting_bytes: int = 0
    has_finished: bool = False
    """True once the program sends no more."""

    @property
    def is_between_passed(self) -> bool:
        """True if no message of the program was passed on in part."""
        return is_between_passed(self.cutter, self.joiner)

    @property
    def kept_bytes(self) -> int:
        """Return how many bytes of this program are kept."""
        return self.cutter.kept_bytes + self.joiner.kept_bytes + self.waiting_bytes

    def keep(self, message: Message) -> None:
        """Keep a message until the old program's last ones were delivered."""
        self.waiting.append(message)
        self.waiting_bytes += 2 * len(message.data) + FRAME_BYTES

    def release(self) -> bytes:
        """Return what is kept of an unfinished message, to be passed on."""
        return self.joiner.release() + self.cutter.release()


def send_due(profile: Profile, up: Upward, *legs: Leg | None) -> None:
    """Send what a profile has for programs; those that have ended are left out."""
    for number, message in profile.for_programs():
        for leg in legs:
            if leg is not None and leg.number == number:
                up.send(message.opcode, message.payload, leg.pipe)
