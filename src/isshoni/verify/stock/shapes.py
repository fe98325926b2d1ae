"""What a frame looks like apart from its id: to tell a reply from a message to all."""

import re

from isshoni.verify.stock.ids import MessageId

AROUND = 40
"""Characters before and after the id that count."""
_CHANGES = re.compile(r"\w*\d\w*")
"""Numbers, times and most ids of connections, which differ from frame to frame."""


def shape_of(frame: str, found: MessageId) -> str:
    """Return the characters around an id, without what changes from frame to frame."""
    at = frame.lower().find(found.text)
    before = _CHANGES.sub("#", frame[:at])[-AROUND:]
    after = _CHANGES.sub("#", frame[at + len(found.text) :])[:AROUND]
    return f"{before}…{after}"
