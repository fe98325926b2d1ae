"""Read an update of one struct by a regex: most updates of a client have a single one.

To walk over such an update in Python, and to let Yjs decode it, takes three times as long. The
regex accepts less than Yjs does: any other update may be right all the same, and is walked over.
"""

import re
from collections.abc import Callable
from functools import cache, lru_cache

from isshoni.session.yjs_contents import Chunk, Contents
from isshoni.session.yjs_structs import Range
from isshoni.session.yjs_walk import NUMBER, SHORT_TEXT

_CLIENT = rb"[\x80-\xff]{0,4}[\x00-\x7f]"
_CLOCK = rb"[\x80-\xff]{0,3}[\x00-\x7f]"
"""Less than 2^28, so that no clock is over the maximum."""
_ID = b"(%b)(%b)" % (_CLIENT, _CLOCK)
_INTEGER = rb"\x7d[\x80-\xff]{0,4}[\x00-\x7f]"
_NUMBER = rb"(?:%b|\x7c.{4}|[\x7a\x7b].{8}|[\x78\x79\x7e\x7f])" % _INTEGER
_VALUE = rb"(?:%b|\x77%b|\x75\x02%b%b)" % (_NUMBER, SHORT_TEXT, _NUMBER, _NUMBER)


def _flagged(kind: int, *flags: int) -> bytes:
    return b"[%b]" % re.escape(bytes(kind | flag for flag in flags))


def _item(kind: int, content: bytes) -> bytes:
    """Return a regex for an item that refers to its origins, or to its parent."""
    parent = rb"(?:\x00%b|\x01%b)" % (_ID, SHORT_TEXT)
    one = _flagged(kind, 0xA0, 0x80, 0x60, 0x40) + _ID
    two = _flagged(kind, 0xE0, 0xC0) + _ID + _ID
    key = _flagged(kind, 0x20) + parent + SHORT_TEXT
    none = _flagged(kind, 0x00) + parent
    return b"(?:%b|%b|%b|%b)%b" % (one, two, key, none, content)


_DELETED = rb"(?:\x00|\x01(%b)\x01(%b)(%b))" % (_CLIENT, _CLOCK, _CLOCK)
_match = re.compile(
    rb"(?s:\x01\x01(%b)(%b)(%b|%b)%b)"
    % (_CLIENT, _CLOCK, _item(8, rb"\x01" + _VALUE), _item(7, rb"[\x00\x01]"), _DELETED)
).fullmatch


MOST_IN_RUN = 64
_OWN_ID = b"(?P=author)" + _CLOCK
_AUTHOR = b"(?P<author>%b)" % _CLIENT


def _make_struct(reference: bytes, value: bytes) -> bytes:
    """Return a regex for a struct of one clock that refers to nothing but `reference`."""
    parent = rb"(?>\x00%b|\x01%b)" % (reference, SHORT_TEXT)

    def item(kind: int) -> bytes:
        one = _flagged(kind, 0xA0, 0x80, 0x60, 0x40) + reference
        two = _flagged(kind, 0xE0, 0xC0) + reference + reference
        key = _flagged(kind, 0x20) + parent + SHORT_TEXT
        none = _flagged(kind, 0x00) + parent
        return b"(?>%b|%b|%b|%b)" % (one, key, two, none)

    return rb"(?>%b\x01%b|%b[\x00\x01])" % (item(8), value, item(7))


_Fullmatch = Callable[[bytes], "re.Match[bytes] | None"]


class _OwnPatterns:
    """Regexes for updates of one author that refer to nothing of another.

    They are made at first use: that takes milliseconds.
    """

    def __init__(self) -> None:
        def compile_whole(count: bytes, structs: bytes) -> _Fullmatch:
            parts = (count, _AUTHOR, _CLOCK, structs, _DELETED)
            return re.compile(rb"(?s:\x01%b%b(%b)(%b)%b)" % parts).fullmatch

        value = rb"(?>%b|\x77%b|\x75\x02%b%b)" % (NUMBER, SHORT_TEXT, NUMBER, NUMBER)
        structs = b"(?:%b){2,%d}+" % (_make_struct(_OWN_ID, value), MOST_IN_RUN)
        self.single = compile_whole(rb"\x01", _make_struct(_OWN_ID, _VALUE))
        self.run = compile_whole(rb"([\x02-\x40])", structs)
        self.find_structs = re.compile(b"(?s:%b)" % _make_struct(_CLIENT + _CLOCK, value)).findall


_own_patterns = cache(_OwnPatterns)


def read_single_change(update: bytes) -> Contents | None:
    """Return what an update of one ordinary struct brings; None if it is another update.

    Yjs can decode each of those that are returned.
    """
    if (own := _own_patterns().single(update)) is not None:
        author, clock, struct, *deleted = own.groups()
        return _make_contents(_read_client(author), clock, struct, 1, {}, *deleted)
    if (match := _match(update)) is None:
        return None
    author, clock, struct, *references = match.groups()
    client = _read_client(author)
    *referred, deleted_of, deleted_at, deleted_count = references
    needs: dict[int, int] = {}
    for at in range(0, len(referred), 2):
        if (of := referred[at]) is not None and of != author:
            _add_need(needs, client, _read_client(of), _read_number(referred[at + 1]))
    return _make_contents(client, clock, struct, 1, needs, deleted_of, deleted_at, deleted_count)


def read_short_run(update: bytes) -> Contents | None:
    """Return what an update of a few ordinary structs brings; None if it is another update.

    They are of one author, and refer to nothing of another: so are the changes of one client that
    were joined. To walk over each in Python takes several times as long.
    """
    if len(update) < 2 or update[0] != 1 or not 1 < update[1] <= MOST_IN_RUN:
        return None
    patterns = _own_patterns()
    if (match := patterns.run(update)) is None:
        return None
    count, author, clock, structs, *deleted = match.groups()
    if len(patterns.find_structs(structs)) != count[0]:
        return None
    return _make_contents(_read_client(author), clock, structs, count[0], {}, *deleted)


def _make_contents(
    client: int,
    clock: bytes,
    structs: bytes,
    count: int,
    needs: dict[int, int],
    deleted_of: bytes | None,
    deleted_at: bytes,
    deleted_count: bytes,
) -> Contents:
    """Return `count` structs of one clock each, and one range of deletions or none."""
    start = _read_number(clock)
    deleted: list[Range] = []
    if deleted_of is not None:
        first, length = _read_number(deleted_at), _read_number(deleted_count)
        deleted.append(Range(_read_client(deleted_of), first, length))
    return Contents([Chunk(client, start, start + count, count, needs, structs)], deleted)


def _add_need(needs: dict[int, int], client: int, of: int, clock: int) -> None:
    if of != client and needs.get(of, -1) < clock:
        needs[of] = clock


def _read_number(encoded: bytes) -> int:
    if len(encoded) == 1:
        return encoded[0]
    if len(encoded) == 2:
        return encoded[0] & 0x7F | encoded[1] << 7
    value = 0
    for byte in reversed(encoded):
        value = value << 7 | byte & 0x7F
    return value


_read_client = lru_cache(maxsize=4096)(_read_number)
