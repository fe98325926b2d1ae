"""Steps 5–7: send the candidate a share of new connections, and watch it bake."""

from dataclasses import replace

from isshoni.rollout.actions import ProbeTarget, SendProbes
from isshoni.rollout.analysis.evidence import Evidence, weigh_look
from isshoni.rollout.analysis.samples import take_counts
from isshoni.rollout.analysis.verdict import (
    Judgement,
    Verdict,
    assess_candidate,
    describe_guilt,
)
from isshoni.rollout.look import (
    Advance,
    Back,
    Move,
    Wait,
    ask,
    describe_slot,
    is_well,
    keep_weights,
)
from isshoni.rollout.model import Colour, Observation, ProbeTally, Weights
from isshoni.rollout.state import Rollout


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
    rollout = _begin_bake(waiting.rollout, now)
    assert rollout.evidence is not None
    assert rollout.baseline is not None and rollout.bake_began is not None
    verdict = assess_candidate(
        rollout.evidence,
        rollout.baseline,
        seen,
        rollout.candidate,
        rollout.plan.thresholds,
        speaks=rollout.release.speaks_admin_api,
    )
    if not is_well(seen, rollout.candidate):
        verdict = Verdict("hold", describe_slot(seen, rollout.candidate), verdict.figures)
    return _judge_bake(rollout, verdict, seen, now)


def gather_evidence(rollout: Rollout, seen: Observation, now: float) -> Rollout:
    """Weigh what came since the last look, at the pace of the plan."""
    before = rollout.evidence
    if rollout.rollback is not None or (
        before is not None and 0 <= now - before.at < rollout.plan.observe_seconds
    ):
        return rollout
    stable, candidate = (
        take_counts(seen, colour, rollout.probed.get(colour, {}), counts)
        for colour, counts in (
            (rollout.stable.colour, before.stable if before else {}),
            (rollout.candidate, before.candidate if before else {}),
        )
    )
    if before is None:
        return replace(rollout, evidence=Evidence(now, candidate, stable))
    evidence = weigh_look(
        before, candidate, stable, now, rollout.plan.thresholds, exposed=rollout.exposed
    )
    return replace(rollout, evidence=evidence)


def note_probes(rollout: Rollout, colour: Colour, tally: ProbeTally) -> Rollout:
    """Add what a round of probes met."""
    before = rollout.probed.get(colour, {})
    added = {name: before.get(name, 0) + count for name, count in tally.counts.items()}
    faults = rollout.probe_faults
    if tally.fault is not None:
        faults = {**faults, colour: tally.fault}
    probed = {**rollout.probed, colour: {**before, **added}}
    return replace(rollout, probed=probed, probe_faults=faults)


def describe_conviction(rollout: Rollout) -> str | None:
    """Say what the candidate is surely bad at; None when there is no such thing."""
    if rollout.evidence is None:
        return None
    guilt = describe_guilt(rollout.evidence, rollout.plan.thresholds)
    if guilt is None:
        return None
    fault = rollout.probe_faults.get(rollout.candidate)
    seen_by_probe = f"; a probe says: {fault}" if fault else ""
    return f"{rollout.step.title}: {guilt}{seen_by_probe}"


def _begin_bake(rollout: Rollout, now: float) -> Rollout:
    # A bake counts only from the moment that its weight is verified in force.
    assert rollout.evidence is not None
    baseline = rollout.evidence.candidate if rollout.baseline is None else rollout.baseline
    began = now if rollout.bake_began is None else rollout.bake_began
    return replace(rollout, baseline=baseline, bake_began=began)


def _judge_bake(rollout: Rollout, verdict: Verdict, seen: Observation, now: float) -> Move:
    weight = rollout.step.weight or 0
    judged = replace(rollout, judgements=(*rollout.judgements, Judgement(weight, verdict)))
    assert rollout.bake_began is not None
    left = rollout.plan.bake_seconds - (now - rollout.bake_began)
    unclear = verdict.kind == "hold" or (
        verdict.kind == "inconclusive" and rollout.plan.require_traffic
    )
    if unclear and left < -rollout.plan.hold_seconds and not rollout.paused:
        return Back(f"at {weight} %, still when the bake was over: {verdict.reason}")
    if unclear or left > 0:
        probing = _send_probes(rollout, seen, now)
        return replace(probing, verdict=verdict)
    return Advance(judged, f"{verdict.kind}: {verdict.reason}")


def _send_probes(rollout: Rollout, seen: Observation, now: float) -> Wait:
    """Send synthetic users to both colours at once: what hits both is nobody's fault."""
    pairs = ((rollout.candidate, rollout.release), (rollout.stable.colour, rollout.stable.release))
    targets = []
    for colour, release in pairs:
        status = seen.backends.get(colour)
        if is_well(seen, colour):
            speaks = status is not None and status.speaks_isshoni
            targets.append(ProbeTarget(colour, release, speaks))
    return ask(rollout, now, SendProbes(tuple(targets)))


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
