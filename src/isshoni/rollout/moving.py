"""Move live sessions: how many, how fast, and when to stop waiting for the rest."""

from dataclasses import replace

from isshoni.rollout.actions import CancelMigration, Migrate
from isshoni.rollout.look import Wait, ask, is_well
from isshoni.rollout.model import Colour, MigrationStatus, Observation, other
from isshoni.rollout.pace import (
    CPU,
    FASTEST_GROWTH,
    TURN_SECONDS,
    WAITING,
    Gauges,
    adjust_rate,
    floor_rate,
    read_gauge,
    start_rate,
)
from isshoni.rollout.plan import PaceLimits
from isshoni.rollout.state import Moving, Rollout
from isshoni.rollout.weather import estimate_weather, record_quiet

STALL_SECONDS = 2.0
"""How long a move may make no progress beyond the time that each client has."""
NOTICEABLE = 0.1
"""The relative change of the rate from which a backend is sent the new one."""
LEAST_TURN = 0.25
"""The least part of a turn in which sessions must have moved to choose the next rate by it."""
NO_CLOSES_SECONDS = 86_400.0
"""Closes spread over a day: none during a canary, which may still be rolled back."""
TURNED_AWAY = {
    "refused": "refused the handshake of",
    "unreachable": "did not answer the handshake of",
    "new_ended": "closed the connection of",
}
"""What a program did that no client can be moved to, by the reason of the failed moves."""
ROLLBACK_HASTE = 2.0
"""The times of the configured rate that a rollback may reach: stable served all clients."""
LAST_SECONDS = 2.0
"""The least time that the rest of a rollback is spread over, however late it is."""


def keep_moving(
    rollout: Rollout,
    seen: Observation,
    now: float,
    colour: Colour,
    share_pct: float,
    close_over_seconds: float = 0.0,
) -> Wait:
    """Move a share of a colour's sessions to the other colour, as fast as that one can take.

    A relay closes clients that it cannot move, spread over `close_over_seconds`.

    While the rollout is paused, or the other colour is not well, no session is asked to move.
    """
    held = rollout.paused or not is_well(seen, other(colour), rollout.plan)
    rollout = _note_progress(_begin(rollout, now, colour, share_pct), seen, now, held=held)
    status = seen.backends.get(colour)
    if status is None:
        return Wait(rollout)
    if held:
        return cancel_move(rollout, seen, now, colour)
    rollout = _adjust_pace(rollout, seen, now)
    moving = rollout.moving
    assert moving is not None
    if _is_obeyed(status.migration, moving, close_over_seconds):
        return Wait(rollout)
    within = rollout.plan.migrate_within_seconds
    rate = moving.rate_per_second
    order = Migrate(colour, other(colour), rate, within, share_pct, close_over_seconds)
    return ask(rollout, now, order)


def cancel_move(rollout: Rollout, seen: Observation, now: float, colour: Colour) -> Wait:
    """Cancel the move of sessions away from a colour, also for clients that connect later."""
    if sends_sessions_away(seen, colour):
        return ask(rollout, now, CancelMigration(colour))
    return Wait(rollout)


def sends_sessions_away(seen: Observation, colour: Colour) -> bool:
    """True if a colour moves its sessions, or would move new ones, to the other colour."""
    status = seen.backends.get(colour)
    return status is not None and status.migration is not None


def has_moved(rollout: Rollout, seen: Observation) -> bool:
    """True if the share has moved, except clients that cannot or do not move."""
    moving = rollout.moving
    status = moving and seen.backends.get(moving.colour)
    migration = status and status.migration
    return bool(moving and migration and _is_same_move(migration, moving) and migration.done)


def has_stalled(rollout: Rollout, now: float) -> bool:
    """True if no client has moved for longer than a client has to move."""
    moving = rollout.moving
    if moving is None:
        return False
    patience = rollout.plan.migrate_within_seconds + STALL_SECONDS + 1 / moving.rate_per_second
    return now - max(moving.progressed_at, rollout.at.began) > patience


def describe_refusal(rollout: Rollout, seen: Observation, now: float) -> str | None:
    """Return why the move is hopeless: the candidate turned every client away; else None.

    Their programs let them in before, and moving on would only close them.
    """
    moving = rollout.moving
    status = seen.backends.get(moving.colour) if moving else None
    move = status.migration if status else None
    if moving is None or move is None or move.moved or not has_stalled(rollout, now):
        return None
    failures = {reason: count for reason, count in move.failures.items() if count}
    if not failures or failures.keys() - TURNED_AWAY or not _is_same_move(move, moving):
        return None
    total = sum(failures.values())
    if len(failures) == 1:
        did = "".join(f"{TURNED_AWAY[reason]} each" for reason in failures)
    else:
        did = ", ".join(f"{TURNED_AWAY[reason]} {n}" for reason, n in sorted(failures.items()))
    return (
        f"none of {total} clients could be moved: {other(moving.colour)} {did}, "
        f"which {moving.colour} had accepted"
    )


def describe_move(rollout: Rollout, seen: Observation) -> str:
    """Return in words how far a move has come."""
    status = seen.backends.get(rollout.moving.colour) if rollout.moving else None
    if status is None or status.migration is None:
        return "no session was seen to move"
    return f"{status.migration.moved} moved, {status.migration.closed} closed"


def _begin(rollout: Rollout, now: float, colour: Colour, share_pct: float) -> Rollout:
    """Return the rollout with this move as the current one.

    The rate of an earlier move away from the same colour is kept.
    """
    moving = rollout.moving
    if moving and (moving.colour, moving.share_pct) == (colour, share_pct):
        return rollout
    known = moving is not None and moving.colour == colour
    ceiling = rollout.plan.migrate_rate_per_second
    # In a rollback stable served all of the sessions a moment ago: no slow start.
    fresh = ceiling if rollout.rollback else start_rate(ceiling)
    if moving and known:
        rate, kept = moving.rate_per_second, moving.weather
        moving = Moving(
            colour, share_pct, rate, now, now, moving.progress, moving.progress, weather=kept
        )
    else:
        moving = Moving(colour, share_pct, fresh, now, now)
    return replace(rollout, moving=moving)


def _note_progress(rollout: Rollout, seen: Observation, now: float, *, held: bool) -> Rollout:
    moving = rollout.moving
    assert moving is not None
    status = seen.backends.get(moving.colour)
    if status is None and not held:
        return rollout  # it could not be read: progress is unknown
    migration = status.migration if status else None
    progress = _sum_progress(migration) if migration else 0
    if progress == moving.progress and not held:
        return rollout
    return replace(rollout, moving=replace(moving, progress=progress, progressed_at=now))


def _sum_progress(migration: MigrationStatus) -> int:
    # Closes that are spread over the drain must not hold up the step before it.
    closed = 0 if migration.close_over_seconds else migration.closed
    return migration.told + migration.moved + closed


def _adjust_pace(rollout: Rollout, seen: Observation, now: float) -> Rollout:
    moving = rollout.moving
    assert moving is not None
    gauges = _read_gauges(moving, seen)
    busiest = max(moving.busiest_cpu_pct, read_gauge(gauges or {}, CPU))
    if now - moving.paced_at < TURN_SECONDS:
        return replace(rollout, moving=replace(moving, busiest_cpu_pct=busiest))
    to, done = other(moving.colour), has_moved(rollout, seen)
    status, limits = seen.backends.get(to), rollout.plan.pace
    ceiling = _choose_ceiling(rollout)
    if status is not None and gauges is not None:
        quiet = done or moving.rate_per_second <= floor_rate(ceiling)
        moving = record_quiet(moving, gauges, status.connections, limits, now, quiet=quiet)
    paced = replace(moving, paced_at=now, paced_progress=moving.progress, busiest_cpu_pct=0.0)
    rollout = replace(rollout, moving=paced)
    rate, weather = moving.rate_per_second, estimate_weather(rollout, seen, to)
    if not done:
        rate = adjust_rate(rate, gauges, limits, ceiling, weather)
        rate = max(rate, _require_rate(rollout, seen, now))
    elif gauges is not None and _measure_turn(moving) >= LEAST_TURN:
        rate = _learn_from_end(rate, {**gauges, CPU: busiest}, limits, ceiling, weather)
    return replace(rollout, moving=replace(paced, rate_per_second=rate))


def _measure_turn(moving: Moving) -> float:
    """Return for what part of a turn sessions moved since the rate was last chosen."""
    # Each client counts twice: when it is asked, and when it has moved.
    clients = (moving.progress - moving.paced_progress) / 2
    return clients / (moving.rate_per_second * TURN_SECONDS)


def _learn_from_end(
    rate: float, gauges: Gauges, limits: PaceLimits, ceiling: float, weather: Gauges
) -> float:
    """Return the rate at which the next share begins, now that this one has moved.

    The end of a move is no whole turn: its CPU, a mean of one second, may show no more than half of
    what the rate costs. So the rate is doubled where even four times that CPU would fit, else kept.
    """
    next_rate = adjust_rate(rate, gauges, limits, ceiling, weather)
    return next_rate if next_rate >= min(ceiling, FASTEST_GROWTH * rate) else rate


def _read_gauges(moving: Moving, seen: Observation) -> Gauges | None:
    """Return the gauges of the receiving colour; None if it does not answer."""
    to = other(moving.colour)
    status, release = seen.backends.get(to), seen.slots[to].release
    if release is not None and not release.can_move_clients:
        return {}  # it has no gauges: only the ceiling limits the rate
    if status is None:
        return None
    leaving = seen.backends.get(moving.colour)
    waiting = leaving.migration.waiting if leaving and leaving.migration else 0
    return {**status.gauges, WAITING: 1000 * waiting / max(1.0, moving.rate_per_second)}


def _choose_ceiling(rollout: Rollout) -> float:
    configured = rollout.plan.migrate_rate_per_second
    return configured * ROLLBACK_HASTE if rollout.rollback else configured


def _require_rate(rollout: Rollout, seen: Observation, now: float) -> float:
    """Return the rate at which a rollback is over in time; 0.0 for a move forward."""
    back, moving = rollout.rollback, rollout.moving
    status = seen.backends.get(moving.colour) if moving else None
    if back is None or status is None:
        return 0.0
    began = now if back.emptying_began is None else back.emptying_began
    # The last client needs time to move as well, before the candidate is stopped.
    plan = rollout.plan
    within = min(plan.rollback_within_seconds, plan.drain_timeout_seconds / 2)
    left = began + within - now
    # The processes of a colour share the rate evenly: the fullest one is the last.
    connections = status.most_connections or status.connections
    return connections / max(LAST_SECONDS, left)


def _is_obeyed(
    migration: MigrationStatus | None, moving: Moving, close_over_seconds: float
) -> bool:
    if migration is None or not _is_same_move(migration, moving):
        return False
    if migration.close_over_seconds not in (None, close_over_seconds):
        return False
    reported, wanted = migration.rate_per_second, moving.rate_per_second
    # A release of an early version does not report its rate.
    return reported == 0 or abs(reported - wanted) <= NOTICEABLE * wanted or migration.done


def _is_same_move(migration: MigrationStatus, moving: Moving) -> bool:
    return (migration.to, migration.share_pct) == (other(moving.colour), moving.share_pct)
