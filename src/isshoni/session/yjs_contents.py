"""What an update brings: its structs in chunks, and its deletions."""

import msgspec

from isshoni.session.yjs_structs import Range


class Chunk(msgspec.Struct, gc=False):
    """Consecutive structs of one author."""

    client: int
    start: int
    end: int = 0
    count: int = 0
    needs: dict[int, int] = msgspec.field(default_factory=dict)
    """By other author: the greatest clock that these structs refer to."""
    encoded: bytes = b""


class Contents(msgspec.Struct, frozen=True, gc=False):
    """What an update brings."""

    chunks: list[Chunk]
    deleted: list[Range]
    has_pairs: bool = False
    """True if a text has a character of two UTF-16 units, which an edit can cut in two."""
