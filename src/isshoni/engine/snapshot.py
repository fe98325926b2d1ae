"""The state of an environment as plain JSON values: for `isshoni status` and the dashboard."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from isshoni.engine.environment import Environment, observe
from isshoni.engine.lease import Lease, is_free
from isshoni.engine.readings import Reading, calculate_rate, count_clients, thin_out
from isshoni.engine.report import RolloutReport, report_rollout
from isshoni.rollout.analysis.verdict import Verdict
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.look import count_connections
from isshoni.rollout.model import (
    COLOURS,
    BackendStatus,
    Colour,
    MigrationStatus,
    Observation,
    ProcessStatus,
    Stable,
    Weights,
)
from isshoni.rollout.state import Rollout
from isshoni.rollout.steps import Step

MAX_POINTS = 240
"""More points would not be visible in a live chart."""


async def take_snapshot(environment: Environment, now: float) -> dict[str, Any]:
    """Return the stable release, what runs, and the last rollout."""
    journal = environment.journal
    latest = journal.read_latest()
    seen, fault = None, None
    try:
        seen = await observe(environment)
    except EnvironmentFault as unseen:
        fault = str(unseen)
    return {
        "at": now,
        "stable": show_stable(journal.read_stable()),
        "previous": show_stable(journal.read_previous()),
        "engine": show_engine(journal.read_lease(), now),
        "rollout": latest and show_rollout(latest.rollout),
        "seen": seen and show_observation(seen),
        "redis": list_redis_findings(seen) if seen else [],
        "fault": fault,
    }


def list_history(
    environment: Environment, now: float, limit: int = 20, *, before: str | None = None
) -> list[RolloutReport]:
    """Return the reports of the last rollouts, newest first; or of the last before one."""
    listed = environment.journal.list_rollouts(limit, before=before)
    return [report_rollout(rollout, now) for rollout in listed]


def show_stable(stable: Stable | None) -> dict[str, Any] | None:
    """Return a colour and its release, with content id and start of service if they are known."""
    if stable is None:
        return None
    release = stable.release
    content = {"content": release.content} if release.content else {}
    since = {"since": stable.since} if stable.since is not None else {}
    return {"colour": stable.colour, "release": release.label, **content, **since}


def show_engine(lease: Lease | None, now: float) -> dict[str, Any] | None:
    """Return the running engine; None if none is alive."""
    if lease is None or is_free(lease, now):
        return None
    holder = lease.holder
    return {"pid": holder.pid, "who": holder.who, "what": holder.what, "since": holder.since}


def show_rollout(rollout: Rollout) -> dict[str, Any]:
    """Return the state of a rollout: its step, verdicts and rollback."""
    step, back = rollout.step, rollout.rollback
    return {
        "id": rollout.id,
        "release": rollout.release.label,
        "content": rollout.release.content,
        "returning": rollout.returning,
        "candidate": rollout.candidate,
        "outcome": rollout.outcome,
        "reason": rollout.reason,
        "step": {"number": step.number, "of": len(rollout.steps), "title": step.title},
        "phase": step.phase,
        "paused": rollout.paused,
        "paused_by": rollout.paused_by,
        "move": rollout.moving
        and {
            "from": rollout.moving.colour,
            "share_pct": rollout.moving.share_pct,
            "rate_per_second": round(rollout.moving.rate_per_second, 1),
        },
        "kept_since": rollout.kept_since,
        "began": rollout.began,
        "ended": rollout.ended,
        "weights_desired": show_weights(rollout.wanted),
        "steps": [_show_step(rollout, step) for step in rollout.steps],
        "judgements": [
            {"weight": judged.weight, **_show_verdict(judged.verdict)}
            for judged in rollout.judgements
        ],
        "bake": rollout.bake_began and [rollout.bake_began, rollout.plan.bake_seconds],
        "rollback": back
        and {
            "reason": back.reason,
            "began": back.began,
            "new_connections_home": back.traffic_home,
            "last_session_home": back.sessions_home,
        },
    }


def _show_step(rollout: Rollout, step: Step) -> dict[str, Any]:
    timing = next((t for t in rollout.timings if t.number == step.number), None)
    return {
        "number": step.number,
        "title": step.title,
        "phase": step.phase,
        "began": timing and timing.began,
        "ended": timing and timing.ended,
    }


def _show_verdict(verdict: Verdict) -> dict[str, Any]:
    return {"kind": verdict.kind, "reason": verdict.reason, "figures": dict(verdict.figures)}


def show_move(readings: Sequence[Reading]) -> dict[str, Any]:
    """Return how the live sessions move, the verdict, and connections over time."""
    last = readings[-1] if readings else Reading(0.0, 0)
    # A colour that was stopped reports no move any more: its last report counts.
    moving = [r for r in readings if r.told and r.rolling_back == last.rolling_back]
    move = moving[-1] if moving else last
    return {
        "told": move.told,
        "moved": move.moved,
        "stragglers": move.closed,
        "remaining": move.remaining,
        "rate_per_second": round(calculate_rate(readings), 1),
        "verdict": last.verdict and _show_verdict(last.verdict),
        "connections": [
            [round(r.at, 2), *(r.connections[c] for c in COLOURS)]
            for r in thin_out(readings, MAX_POINTS)
            if len(r.connections) == len(COLOURS)
        ],
    }


def show_observation(seen: Observation) -> dict[str, Any]:
    """Return what was observed of the balancer and both colours."""
    return {
        "weights_verified": show_weights(seen.weights),
        "colours": {colour: _show_colour(seen, colour) for colour in COLOURS},
    }


def list_redis_findings(seen: Observation) -> list[str]:
    """Return the colours' findings about the settings of Redis, without repeats."""
    known = (status for status in seen.backends.values() if status is not None)
    return list(dict.fromkeys(finding for status in known for finding in status.redis_findings))


def show_weights(weights: Weights | None) -> dict[str, int] | None:
    """Return the weights by colour."""
    return {"blue": weights.blue, "green": weights.green} if weights else None


def _show_colour(seen: Observation, colour: Colour) -> dict[str, Any]:
    slot, status = seen.slots[colour], seen.backends.get(colour)
    return {
        "release": slot.release and slot.release.label,
        "content": slot.release and slot.release.content,
        "variables": list(slot.release.variables) if slot.release else [],
        "side_programs": [name for name, _ in slot.release.side_programs] if slot.release else [],
        "side_programs_down": list(slot.side_programs_down),
        "running": slot.running,
        "healthy": slot.healthy,
        "restarts": slot.restarts,
        "last_exit": slot.last_exit,
        "connections": count_connections(seen, colour),
        "clients": count_clients(seen, colour),
        "sessions": status and status.sessions,
        "ready": status and status.ready,
        "trouble": _describe_trouble(status),
        "refused_full": status and status.counters.get("refused_full", 0),
        "open_files_limit": status and status.gauges.get("open_files_limit"),
        "migration": _show_migration(status.migration if status else None),
        "processes": [_show_process(process) for process in status.processes] if status else [],
    }


def _show_process(process: ProcessStatus) -> dict[str, Any]:
    return {
        "name": process.name,
        "pid": process.pid,
        "version": process.version,
        "ready": process.ready,
        "reason": process.reason,
        "connections": process.connections,
        "sessions": process.sessions,
        "cpu_pct": round(process.cpu_pct, 1),
        "restarts": process.restarts,
        "evacuated": process.evacuated,
    }


def _describe_trouble(status: BackendStatus | None) -> str | None:
    if status is None or status.draining:
        return None
    return status.not_ready_reason or (status.limit and f"nothing can be saved: {status.limit}")


def _show_migration(migration: MigrationStatus | None) -> dict[str, Any] | None:
    return asdict(migration) if migration else None
