"""Which of a cluster's 16,384 hash slots a key is in, and which servers own them."""

import itertools
from binascii import crc_hqx
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

SLOTS = 16_384


@dataclass(frozen=True)
class SlotRange:
    """A run of slots, both ends included, and their primary."""

    first: int
    last: int
    host: str
    port: int


def slot_of_tag(tag: bytes) -> int:
    """Return the slot of all keys that have `{tag}` in them (CRC-16/XMODEM of the tag)."""
    return crc_hqx(tag, 0) % SLOTS


@lru_cache(maxsize=1024)
def tag_in_slot(slot: int) -> bytes:
    """Find a tag whose keys are in a slot."""
    tags = (b"%d" % number for number in itertools.count())
    return next(tag for tag in tags if slot_of_tag(tag) == slot)


def parse_slot_ranges(reply: list[Any], asked_host: str) -> list[SlotRange]:
    """Parse the answer to CLUSTER SLOTS; a node without a name is on the host asked."""
    return [
        SlotRange(first, last, _name_host(primary[0], asked_host), primary[1])
        for first, last, primary, *_ in reply
    ]


def parse_redirect(detail: str) -> tuple[int, str, int]:
    """Parse what follows MOVED or ASK: the slot, the host, the port."""
    slot, _, endpoint = detail.partition(" ")
    host, _, port = endpoint.rpartition(":")
    return int(slot), host, int(port)


def _name_host(host: bytes | None, asked_host: str) -> str:
    return asked_host if host in (None, b"", b"?") else host.decode()
