"""Find out with a trial message which clients get a message, before anything is counted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from isshoni.errors import IsshoniError
from isshoni.verify.settings import InvalidRun
from isshoni.verify.stock.settings import StockSettings


class Reach(StrEnum):
    """Which clients get a message, as the trial showed."""

    ROOM = "all clients of its room, its sender too"
    OTHERS = "all clients of its room but its sender"
    SENDER = "its sender only"


class NothingCameBack(IsshoniError):
    """No client received the trial message: there is nothing to judge."""

    def __init__(self, settings: StockSettings, sent: str, others: Sequence[str]) -> None:
        seen = (
            f"{len(others)} frame(s) without it came, for example {others[0][:120]!r}"
            if others
            else "no frame came at all"
        )
        super().__init__(
            f"a trial message came back to no client within {settings.trial_seconds:g} s: "
            f"{sent!r} was sent to {settings.url}, and {seen}. Check --url, "
            + (
                "and that the server lets a client without a token change a document"
                if settings.kind.is_document
                else "--message-template (what the application's own clients send, with {id} in "
                "it) and --join (what they send first)"
            )
        )


class Unclear(InvalidRun):
    """The trial message came back in a way in which a fault could not be seen."""


@dataclass(frozen=True)
class Trial:
    """What the trial message showed."""

    reach: Reach
    sample: str
    """A frame in which it came."""
    replies: frozenset[str] = frozenset()
    """Shapes of further frames with its id, which are not judged."""
    acknowledged: bool = False

    def describe(self) -> str:
        """Return what is judged, in a sentence."""
        judged = {
            Reach.ROOM: "each message must reach every client of its room once, in its "
            "sender's order",
            Reach.OTHERS: "each message must reach every other client of its room once, in its "
            "sender's order",
            Reach.SENDER: "each message must come back to its sender once, and in order",
        }[self.reach]
        ignored = "".join(f"; frames like {reply!r} are not judged" for reply in self.replies)
        answered = "; each must be acknowledged" if self.acknowledged else ""
        return f"a message reaches {self.reach}: {judged}{answered}{ignored}"


Frames = Sequence[tuple[str, str]]
"""(frame, its shape)."""


def judge_trial(
    own: Frames, others: Mapping[int, Frames], *, acknowledged: bool = False
) -> Trial | None:
    """Return what a trial showed; None if its message has reached only some clients, or none.

    `own` are the frames with the message's id that its sender got, `others` those of each other
    client of its room. Raises `Unclear` if one message comes twice in the same shape.
    """
    reached = [frames for frames in others.values() if frames]
    if (not own and not reached) or (reached and len(reached) < len(others)):
        return None
    if not reached:
        shape, replies = _choose(own, None)
        return Trial(Reach.SENDER, _sample(own, shape), replies, acknowledged)
    shape, replies = _choose(reached[0], None)
    for frames in reached:
        _choose(frames, shape)
    if own:
        replies |= _choose(own, shape)[1]
    reach = Reach.ROOM if own else Reach.OTHERS
    return Trial(reach, _sample(reached[0], shape), replies, acknowledged)


def _choose(frames: Frames, wanted: str | None) -> tuple[str, frozenset[str]]:
    """Return the shape that is judged, `wanted` if it is there, and the other shapes."""
    shapes = Counter(shape for _, shape in frames)
    chosen = wanted if wanted in shapes else frames[0][1]
    assert chosen is not None
    if shapes[chosen] > 1:
        raise Unclear(
            f"one message came {shapes[chosen]} times to one client, as {_sample(frames, chosen)!r}"
            ", before anything was deployed: a message that a deploy doubles would look the same. "
            "Mend that first, or check --join (does a client join its room twice?)"
        )
    return chosen, frozenset(shapes) - {chosen}


def _sample(frames: Frames, shape: str) -> str:
    return next(frame for frame, its in frames if its == shape)[:200]
