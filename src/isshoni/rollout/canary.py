"""Steps 5–7: move a share of the clients to the candidate, and judge it while it bakes.

The share is one of new connections, by weight, and of live sessions, which move: a
release that breaks only on live sockets must not first show it when all are there.
"""

from dataclasses import replace

from isshoni.rollout.analysis.verdict import Judgement, Verdict, assess_candidate, is_disturbed
from isshoni.rollout.clocks import Condition
from isshoni.rollout.gathering import send_probes
from isshoni.rollout.look import (
    Advance,
    Back,
    Move,
    Wait,
    also,
    describe_slot,
    is_well,
    keep_weights,
)
from isshoni.rollout.model import Observation, Weights
from isshoni.rollout.moving import (
    NO_CLOSES_SECONDS,
    describe_refusal,
    has_moved,
    has_stalled,
    keep_moving,
)
from isshoni.rollout.state import Rollout
from isshoni.rollout.step_records import Baking
from isshoni.rollout.trouble import is_shared

DISTURBED_HOLDS = 4
"""So many times `hold_seconds` a bake waits while short disturbances follow one another."""


def canary(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Steps 5–7: move a share of the clients to the candidate, and judge it."""
    wanted = Weights.favouring(rollout.candidate, rollout.step.weight or 0)
    if rollout.restarts_before is None:
        rollout = replace(rollout, restarts_before=seen.slots[rollout.candidate].restarts)
    if seen.weights not in (None, wanted):  # its traffic was taken away: bake again
        rollout = rollout.keep(replace(rollout.recall(Baking), bake_began=None))
    waiting = keep_weights(rollout, now, seen, wanted)
    if seen.weights != wanted:
        return within_weight(waiting, seen, now)
    waiting = _keep_share_moving(waiting, seen, now)
    if refusal := describe_refusal(waiting.rollout, seen, now):
        return Back(refusal)
    # Judged from the moment that its weight is in force: sessions are still moving then.
    rollout = _begin_watch(waiting.rollout)
    if rollout.bake_began is None and _is_share_in_force(rollout, seen, now):
        rollout = rollout.keep(replace(rollout.recall(Baking), bake_began=now))
    waiting = also(replace(waiting, rollout=rollout), send_probes(rollout, seen, now))
    shared = is_shared(rollout, seen, now)
    return _judge_bake(waiting, _assess(rollout, seen, shared=shared), seen, now, shared=shared)


def _keep_share_moving(waiting: Wait, seen: Observation, now: float) -> Wait:
    rollout = waiting.rollout
    if not rollout.stable.release.can_move_clients:
        return waiting
    share_pct = float(rollout.step.weight or 0)
    stable = rollout.stable
    over = NO_CLOSES_SECONDS if stable.release.relay is not None else 0.0
    return also(waiting, keep_moving(rollout, seen, now, stable.colour, share_pct, over))


def _is_share_in_force(rollout: Rollout, seen: Observation, now: float) -> bool:
    if not rollout.stable.release.can_move_clients:
        return True  # by weights alone
    return has_moved(rollout, seen) or has_stalled(rollout, now)


def _calculate_left(rollout: Rollout, now: float) -> float:
    """Return the seconds that it must still bake; below zero: it is past its end."""
    baking = rollout.recall(Baking)
    if baking.bake_began is None:
        return float("inf")
    left = rollout.plan.bake_seconds - (now - baking.bake_began)
    return min(0.0, left) if baking.skip_bake else left


def _begin_watch(rollout: Rollout) -> Rollout:
    assert rollout.evidence is not None
    baking = rollout.recall(Baking)
    if baking.baseline is not None:
        return rollout
    return rollout.keep(replace(baking, baseline=rollout.evidence.candidate))


def _assess(rollout: Rollout, seen: Observation, *, shared: bool) -> Verdict:
    baseline = rollout.recall(Baking).baseline
    assert rollout.evidence is not None and baseline is not None
    verdict = assess_candidate(
        rollout.evidence,
        baseline,
        seen,
        rollout.candidate,
        rollout.plan.thresholds,
        speaks=rollout.release.can_move_clients,
    )
    if shared:
        why = f"{describe_slot(seen, rollout.candidate)}; {rollout.stable.colour} has it too"
        return Verdict("hold", why, verdict.figures)
    if not is_well(seen, rollout.candidate, rollout.plan):
        return Verdict("hold", describe_slot(seen, rollout.candidate), verdict.figures)
    return verdict


def _judge_bake(
    waiting: Wait, verdict: Verdict, seen: Observation, now: float, *, shared: bool
) -> Wait | Advance | Back:
    rollout, left = waiting.rollout, _calculate_left(waiting.rollout, now)
    weight = rollout.step.weight or 0
    # Who skips the bake does without the traffic, but not without what speaks against it.
    wants_traffic = rollout.plan.require_traffic and not rollout.skip_bake
    unclear = verdict.kind == "hold" or (verdict.kind == "inconclusive" and wants_traffic)
    holds_up = unclear and left <= 0 and not rollout.paused and not shared
    rollout = rollout.note(Condition.VERDICT_CLEAR, not holds_up, now)
    held, patience = rollout.measure_wait(Condition.VERDICT_CLEAR, now), rollout.plan.hold_seconds
    if held > DISTURBED_HOLDS * patience or (held > patience and not _is_disturbed(rollout, seen)):
        return Back(f"at {weight} %, still when the bake was over: {verdict.reason}")
    if unclear or left > 0:
        return replace(waiting, rollout=rollout, verdict=verdict)
    judged = replace(rollout, judgements=(*rollout.judgements, Judgement(weight, verdict)))
    return Advance(judged, f"{verdict.kind}: {verdict.reason}")


def _is_disturbed(rollout: Rollout, seen: Observation) -> bool:
    assert rollout.evidence is not None
    return is_disturbed(rollout.evidence, seen, rollout.candidate, rollout.plan)


def within_weight(waiting: Wait, seen: Observation, now: float) -> Move:
    """Wait for the balancer to take the weights, but not for ever."""
    rollout = waiting.rollout
    limit = rollout.plan.weight_timeout_seconds
    if rollout.measure_wait(Condition.WEIGHTS_APPLIED, now) > limit:
        in_force = f"in force: {seen.weights or 'unknown'}"
        fault = rollout.last_fault()
        return Back(
            f"the balancer did not take {rollout.wanted} within {limit:g} s, {in_force}{fault}"
        )
    return waiting
