"""The facts that decide whether a client can be switched to another program now."""

from isshoni.relay.core.leg import Leg
from isshoni.relay.core.moves import Facts
from isshoni.relay.core.profiles.profile import Profile
from isshoni.relay.core.upward import Upward

SURELY_READ_SECONDS = 60.0
"""A program that had read nothing for so long would have been ended before."""


def find_facts(
    current: Leg,
    up: Upward,
    profile: Profile,
    *,
    is_quiet: bool,
    is_behind: bool,
    client_reads: bool,
) -> Facts:
    """Return what a client's connection to its current program looks like."""
    at_boundary = current.cutter.at_boundary and not current.joiner.kept_bytes
    return Facts(
        is_quiet=is_quiet,
        is_awaiting=profile.is_busy or not profile.has_joined,
        is_between_messages=at_boundary and up.is_between_messages and not profile.in_unit,
        has_joined=profile.has_joined,
        was_refused=profile.was_refused,
        is_behind=is_behind,
        client_reads=client_reads,
    )


def has_read_all(leg: Leg, up: Upward, read_until: float, now: float) -> bool:
    """True if a program that has ended had read what its client sent, and both were silent.

    `read_until`: it has read what was sent before. What it has not read is lost, and only a close
    lets the client know.
    """
    in_silence = not leg.cutter.closing and leg.is_between_passed and up.is_between_messages
    return in_silence and (up.last_at <= read_until or now - up.last_at > SURELY_READ_SECONDS)
