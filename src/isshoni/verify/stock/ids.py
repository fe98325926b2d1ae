"""The id in each message, by which it is known again in whatever frame it comes back in."""

import re
from dataclasses import dataclass

_ID = re.compile(r"iv-([0-9a-f]{6})-(\d+)-(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class MessageId:
    """Which message of which client; `n` counts from 1, and 0 is a trial message."""

    client: int
    n: int
    text: str
    """As it was found; a trial has a text of its own for each attempt."""


def make_id(run: str, client: int, n: int) -> str:
    """Return the id that stands in a message."""
    return f"iv-{run}-{client}-{n}"


def make_trial_id(run: str, client: int, attempt: int) -> str:
    """Return the id of a trial message: its `n` is 0, written with another zero each time."""
    return f"iv-{run}-{client}-" + "0" * (attempt + 1)


def find_ids(run: str, frame: str) -> list[MessageId]:
    """Return the ids of this run in a frame, each once, in their order."""
    found: dict[str, MessageId] = {}
    for match in _ID.finditer(frame):
        text = match[0].lower()
        if match[1].lower() == run:
            found[text] = MessageId(int(match[2]), int(match[3]), text)
    return list(found.values())
