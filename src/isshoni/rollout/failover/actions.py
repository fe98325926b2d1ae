"""What a failover asks for; each action is idempotent."""

from dataclasses import dataclass

from isshoni.rollout.failover.model import RegionRecord


@dataclass(frozen=True)
class WriteRecord:
    """Set in a region which region writes; every process of it must confirm."""

    region: str
    record: RegionRecord


@dataclass(frozen=True)
class Block:
    """Stop the programs of a region, as far as they can be reached."""

    region: str


@dataclass(frozen=True)
class Promote:
    """Make the Redis of a region a primary."""

    region: str


@dataclass(frozen=True)
class Follow:
    """Make the Redis of a region a replica of another region's."""

    region: str
    leader: str
    keeps_copy: bool = False
    """True if it was a primary on its own: it may have acknowledged writes that the leader lacks,
    so a copy of its data is kept where the data is in files."""


@dataclass(frozen=True)
class Switch:
    """Send new users to a region."""

    to: str


@dataclass(frozen=True)
class Move:
    """Ask the sessions of a region to move to another."""

    region: str
    to: str


Action = WriteRecord | Block | Promote | Follow | Switch | Move
