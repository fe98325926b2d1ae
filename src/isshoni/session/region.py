"""Which of several regions may write: the record that says so, and a proof of it for clients.

Each region is a whole platform with a Redis of its own; one of them writes, and the Redis of each
other region is a replica of its Redis. The record is in Redis, so it is replicated in order with
every write.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

RegionState = Literal["serving", "fenced", "standby"]
REGION_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_COLOUR_NAME = re.compile(r"(blue|green)(-\d{1,2})?")
_MAC_BYTES = 16
_MAX_TERM = 2**53 - 1
_MAX_PROOF_CHARACTERS = 80


def is_region_name(text: str) -> bool:
    """True if `text` may name a region: a ticket must not mistake it for a colour."""
    return bool(REGION_NAME.fullmatch(text)) and not _COLOUR_NAME.fullmatch(text)


@dataclass(frozen=True, order=True)
class RegionRecord:
    """Which region may write since a term; terms only grow."""

    term: int
    writer: str = ""
    """The name of the region; empty: no region may write (fenced)."""


def find_state(name: str, record: RegionRecord | None, *, is_replica: bool) -> RegionState:
    """Return the state of the region `name`.

    Without a record it serves, as a platform without regions does, unless its Redis is a replica.
    """
    if record is None:
        return "standby" if is_replica else "serving"
    if record.writer not in ("", name):
        return "standby"
    if is_replica:
        # Named before it is promoted: as soon as it is, it serves.
        return "fenced" if record.writer else "standby"
    return "serving" if record.writer else "fenced"


class RegionMac:
    """Signs and verifies proofs of a record; the processes of all regions share the secret."""

    def __init__(self, secret: str) -> None:
        key = blake2b(secret.encode(), digest_size=32, person=b"isshoni-region").digest()
        self._keyed = blake2b(key=key, digest_size=_MAC_BYTES)

    def sign(self, record: RegionRecord) -> str:
        """Return the proof of a record: `TERM.WRITER.MAC`."""
        return f"{record.term}.{record.writer}.{self._make_mac(record)}"

    def verify(self, proof: str) -> RegionRecord | None:
        """Return the record that a genuine proof is of; None for any other text."""
        record = read_proof(proof)
        if record is None:
            return None
        mac = proof.rpartition(".")[2].encode()
        return record if hmac.compare_digest(mac, self._make_mac(record).encode()) else None

    def _make_mac(self, record: RegionRecord) -> str:
        mac = self._keyed.copy()
        mac.update(f"{record.term}.{record.writer}".encode())
        return urlsafe_b64encode(mac.digest()).rstrip(b"=").decode()


def read_proof(proof: str) -> RegionRecord | None:
    """Return the record that a proof claims, without verifying it; None if it has another form."""
    if len(proof) > _MAX_PROOF_CHARACTERS:
        return None
    term, _, rest = proof.partition(".")
    writer, dot, _ = rest.partition(".")
    if not (dot and term.isascii() and term.isdigit() and int(term) <= _MAX_TERM):
        return None
    if writer and not is_region_name(writer):
        return None
    return RegionRecord(int(term), writer)
