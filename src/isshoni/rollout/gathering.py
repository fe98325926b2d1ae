"""Gather evidence: from the counters of each observation, and from each round of probes."""

from dataclasses import replace

from isshoni.rollout.actions import ProbeTarget, SendProbes
from isshoni.rollout.analysis.evidence import Evidence, pass_over_look, weigh_look
from isshoni.rollout.analysis.samples import take_counts
from isshoni.rollout.analysis.verdict import describe_guilt
from isshoni.rollout.clocks import Condition
from isshoni.rollout.look import Wait, ask, is_well
from isshoni.rollout.model import Colour, Observation, ProbeTally
from isshoni.rollout.state import Rollout
from isshoni.rollout.step_records import Baking, Look
from isshoni.rollout.trouble import is_shared

PARTIAL_SECONDS = 1.0
"""How long to wait for one colour if only the counters of the other could be read."""
LONGEST_LOOK_SECONDS = 4.0
"""How much longer than `observe_seconds` one look may cover: what lies further back, such as the
time in which the engine was frozen, was not judged."""
LONGEST_ROUND_SECONDS = 15.0
"""A round of probes that has not ended after this is started again."""


def gather_evidence(
    rollout: Rollout, seen: Observation, now: float, *, blind: bool = False
) -> Rollout:
    """Add what was counted since the last observation, once each `observe_seconds`.

    A bake is extended by the time that gave no evidence. `blind`: the environment could not
    be read just before.
    """
    before = rollout.evidence
    if rollout.rollback is not None or (
        before is not None and 0 <= now - before.at < rollout.plan.observe_seconds
    ):
        return rollout
    if before is not None and _is_partial(rollout, seen):
        # With counters of one colour only, a fault of both would look like the candidate's.
        if now - before.at < rollout.plan.observe_seconds + PARTIAL_SECONDS:
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
    unseen = blind or _was_unseen(rollout, now - before.at, now)
    shared = is_shared(rollout, seen, now)
    silent = not unseen and not shared and _is_silent(rollout, seen)
    if shared:
        evidence = pass_over_look(before, candidate, stable, now)
    else:
        evidence = weigh_look(
            before,
            candidate,
            stable,
            now,
            rollout.plan.thresholds,
            exposed=rollout.exposed,
            moving=isinstance(rollout.at, Baking) and rollout.bake_began is None,
            usable=not unseen and not silent,
        )
    gained = evidence.usable_seconds - before.usable_seconds
    lost = max(0.0, now - before.at - gained) if rollout.exposed else 0.0
    at = rollout.at.count_look(Look(lost, unseen, silent), now)
    return replace(rollout, evidence=evidence, at=at)


def _was_unseen(rollout: Rollout, seconds: float, now: float) -> bool:
    """True if the engine did not judge for much of the time since the last look."""
    plan = rollout.plan
    unread_seconds = rollout.measure_wait(Condition.WEIGHTS_APPLIED, now)
    return (
        seconds > plan.observe_seconds + LONGEST_LOOK_SECONDS
        or unread_seconds > plan.observe_seconds + PARTIAL_SECONDS
    )


def _is_silent(rollout: Rollout, seen: Observation) -> bool:
    """True if the candidate does not serve, or does not report what it counts."""
    unread = rollout.release.can_move_clients and seen.backends.get(rollout.candidate) is None
    return unread or not is_well(seen, rollout.candidate, rollout.plan)


def _is_partial(rollout: Rollout, seen: Observation) -> bool:
    """True if a running colour with an admin port did not answer there."""
    pairs = ((rollout.stable.colour, rollout.stable.release), (rollout.candidate, rollout.release))
    return any(
        release.can_move_clients and seen.slots[colour].running and not seen.backends.get(colour)
        for colour, release in pairs
    )


def note_probes(rollout: Rollout, colour: Colour, tally: ProbeTally) -> Rollout:
    """Return the rollout with the counts of a round of probes added."""
    before = rollout.probed.get(colour, {})
    added = {name: before.get(name, 0) + count for name, count in tally.counts.items()}
    faults = rollout.probe_faults
    if tally.fault is not None:
        faults = {**faults, colour: tally.fault}
    probed = {**rollout.probed, colour: {**before, **added}}
    return replace(rollout, probed=probed, probe_faults=faults)


def describe_conviction(rollout: Rollout) -> str | None:
    """Return the fault that the candidate surely has; None if there is none."""
    if rollout.evidence is None:
        return None
    guilt = describe_guilt(rollout.evidence, rollout.plan.thresholds)
    if guilt is None:
        return None
    fault = rollout.probe_faults.get(rollout.candidate)
    seen_by_probe = f"; a probe says: {fault}" if fault else ""
    return f"{rollout.step.title}: {guilt}{seen_by_probe}"


def send_probes(rollout: Rollout, seen: Observation, now: float) -> Wait:
    """Send synthetic users to both colours at once, so that shared trouble is seen as such.

    A round follows as soon as the one before has ended, at most one each RETRY_SECONDS.
    """
    baking = rollout.recall(Baking)
    began = baking.asked.get(str(SendProbes(())), now)
    if baking.probes_underway and now - began < LONGEST_ROUND_SECONDS:
        return Wait(rollout)
    stable = rollout.stable
    pairs = [(rollout.candidate, rollout.release)]
    if rollout.step.weight != 100:  # then stable sends all clients to the candidate, probes too
        pairs.append((stable.colour, stable.release))
    targets = []
    for colour, release in pairs:
        status = seen.backends.get(colour)
        if is_well(seen, colour, rollout.plan):
            speaks = status is not None and status.speaks_isshoni
            targets.append(ProbeTarget(colour, release, speaks))
    if not targets:
        return Wait(rollout)
    waiting = ask(rollout, now, SendProbes(tuple(targets)))
    after = replace(waiting.rollout.recall(Baking), probes_underway=bool(waiting.actions))
    return replace(waiting, rollout=waiting.rollout.keep(after))
