"""Steps 5–7: send the candidate a share of new connections, and watch it bake."""

from dataclasses import replace

from isshoni.rollout.gates import Judgement, Verdict, assess_candidate, take_baseline
from isshoni.rollout.look import Advance, Back, Move, Wait, describe_slot, is_well, keep_weights
from isshoni.rollout.model import Observation, Weights
from isshoni.rollout.state import Rollout

HOLD_SECONDS = 2.0
"""How long past its end a bake may be held up by an unclear verdict."""


def canary(rollout: Rollout, seen: Observation, now: float) -> Move:
    """Steps 5–7: send it a share of new connections, and watch it bake."""
    wanted = Weights.favouring(rollout.candidate, rollout.step.weight or 0)
    if rollout.restarts_before is None:
        rollout = replace(rollout, restarts_before=seen.slots[rollout.candidate].restarts)
    if seen.weights != wanted and rollout.bake_began is not None:
        rollout = replace(rollout, bake_began=None, step_began=now)  # taken away: a fresh chance
    waiting = keep_weights(rollout, now, seen, wanted)
    if seen.weights != wanted:
        return within_weight(waiting, seen, now)
    rollout = _begin_bake(waiting.rollout, seen, now)
    assert rollout.baseline is not None and rollout.bake_began is not None
    verdict = assess_candidate(
        rollout.baseline,
        seen,
        rollout.candidate,
        rollout.plan.thresholds,
        speaks=rollout.release.speaks_admin_api,
    )
    if not is_well(seen, rollout.candidate):
        verdict = Verdict("hold", describe_slot(seen, rollout.candidate), verdict.figures)
    return _judge_bake(rollout, verdict, now - rollout.bake_began)


def _begin_bake(rollout: Rollout, seen: Observation, now: float) -> Rollout:
    # A bake counts only from the moment that its weight is verified in force.
    baseline = rollout.baseline or take_baseline(seen, rollout.candidate, now)
    began = now if rollout.bake_began is None else rollout.bake_began
    return replace(rollout, baseline=baseline, bake_began=began)


def _judge_bake(rollout: Rollout, verdict: Verdict, baked_seconds: float) -> Move:
    weight = rollout.step.weight or 0
    judged = replace(rollout, judgements=(*rollout.judgements, Judgement(weight, verdict)))
    left = rollout.plan.bake_seconds - baked_seconds
    if verdict.kind == "fail":
        return Back(f"at {weight} %: {verdict.reason}")
    if verdict.kind == "hold" and left < -HOLD_SECONDS and not rollout.paused:
        return Back(f"at {weight} %, still when the bake was over: {verdict.reason}")
    if verdict.kind == "hold" or left > 0:
        return Wait(rollout, verdict=verdict)
    return Advance(judged, f"{verdict.kind}: {verdict.reason}")


def within_weight(waiting: Wait, seen: Observation, now: float) -> Move:
    """Wait for the balancer to take the weights, but not for ever."""
    rollout = waiting.rollout
    limit = rollout.plan.weight_timeout_seconds
    if now - rollout.step_began > limit:
        in_force = f"in force: {seen.weights or 'unknown'}"
        fault = rollout.last_fault()
        return Back(
            f"the balancer did not take {rollout.wanted} within {limit:g} s, {in_force}{fault}"
        )
    return waiting
