"""The connection of one client to one program."""

from dataclasses import dataclass, field

from isshoni.relay.core.frames import FrameCutter
from isshoni.relay.core.messages import Message, MessageJoiner, is_between_passed
from isshoni.relay.core.sides import Side
from isshoni.relay.core.upward import Pipe


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

    def release(self) -> bytes:
        """Return what is kept of an unfinished message, to be passed on."""
        return self.joiner.release() + self.cutter.release()
