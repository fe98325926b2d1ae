"""Check Yjs updates from untrusted clients before yrs decodes them.

The decoder of yrs trusts counts and nesting: a frame of ten bytes can make it allocate
gigabytes, and deep nesting overflows its stack, which ends the process. So the
structure of an update is checked here first.
"""

from dataclasses import dataclass

import msgspec
import pycrdt

from isshoni.session.single_change import read_single_change
from isshoni.session.yjs_contents import Contents
from isshoni.session.yjs_document import translate_yjs_fault
from isshoni.session.yjs_parts import read_contents
from isshoni.session.yjs_walk import BrokenUpdate, Walk

EMPTY_UPDATE = b"\x00\x00"
"""An update that changes nothing."""
EMPTY_STATE = b"\x00"


def check_update(update: bytes) -> Contents:
    """Return what an update brings; raise `BrokenUpdate` unless Yjs can decode it."""
    single = read_single_change(update)
    if single is not None:
        return single
    contents = read_contents(update)
    try:
        pycrdt.merge_updates(update)
    except BaseException as fault:
        raise translate_yjs_fault(fault) from None
    return contents


def check_state(state: bytes) -> None:
    """Raise `BrokenUpdate` unless `state` is a state vector."""
    walk = Walk(state)
    for _ in range(walk.count()):
        walk.varuint()
        walk.clock()
    walk.end()


def parse_state(state: bytes) -> dict[int, int]:
    """Read a state vector: for each author, the clock after its last unit."""
    walk = Walk(state)
    clocks = {walk.varuint(): walk.clock() for _ in range(walk.count())}
    walk.end()
    return clocks


@dataclass(frozen=True, slots=True)
class Announcement:
    """The state of one client in an awareness update (y-protocols)."""

    client: int
    clock: int
    state: bytes
    """JSON; `null` if the client has left."""


def parse_awareness(payload: bytes) -> list[Announcement]:
    """Read an awareness update; raises `BrokenUpdate`."""
    walk = Walk(payload)
    announcements: list[Announcement] = []
    for _ in range(walk.count()):
        client, clock, state = walk.varuint(), walk.varuint(), walk.text()
        try:
            msgspec.json.decode(state, type=msgspec.Raw)
        except msgspec.DecodeError:
            raise BrokenUpdate("an awareness state is not JSON") from None
        announcements.append(Announcement(client, clock, state.encode()))
    walk.end()
    return announcements


def encode_awareness_states(announcements: list[Announcement]) -> bytes:
    """Return an awareness update with these announcements."""
    parts = [pycrdt.write_var_uint(len(announcements))]
    for one in announcements:
        parts += (pycrdt.write_var_uint(one.client), pycrdt.write_var_uint(one.clock))
        parts += (pycrdt.write_var_uint(len(one.state)), one.state)
    return b"".join(parts)
