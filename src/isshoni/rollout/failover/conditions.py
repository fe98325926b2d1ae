"""What each step of a failover waits for, and what it asks for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from isshoni.plurals import count
from isshoni.rollout.failover.actions import (
    Action,
    Block,
    Follow,
    Move,
    Promote,
    Switch,
    WriteRecord,
)
from isshoni.rollout.failover.model import Failover, Lag, RegionRecord, RegionSeen
from isshoni.rollout.failover.steps import StepName


@dataclass(frozen=True)
class Seen:
    """One observation of both regions."""

    source: RegionSeen
    target: RegionSeen
    switched_to: str | None = None
    """The region that new users are sent to."""
    known_term: int = 0
    """The greatest term that an earlier failover has used."""


def find_wait(failover: Failover, seen: Seen) -> str | None:
    """Return why the present step is not done yet; None: it is done."""
    return _WAITS[failover.step.name](failover, seen)


def find_refusal(failover: Failover, seen: Seen) -> str | None:
    """Return why the standby cannot take over, where waiting changes nothing; or None."""
    source, target = seen.source, seen.target
    if failover.step.name is not StepName.PROVE_STANDBY or not target.answers:
        return None
    if target.release != source.release:
        return (
            f"{target.name} runs {target.release}, {source.name} runs {source.release}: give both "
            f"the same version first (`isshoni deploy VERSION`, or `isshoni rollback`, which "
            f"returns {target.name} to {source.release})"
        )
    if len(target.processes) < len(source.processes):
        return (
            f"{target.name} has {count(len(target.processes), 'process', 'processes')}, "
            f"{source.name} has {len(source.processes)}: it could not carry the users"
        )
    return None


def keeps_writing(failover: Failover, seen: Seen) -> bool:
    """True if it goes back from a fence that the source has never stored: it still writes.

    No order of the fence is under way any more once the step that undoes it has waited.
    """
    if failover.step.name is not StepName.UNFENCE or not seen.source.answers:
        return False
    return all(
        each.record is not None and each.record.writer == failover.source
        for each in seen.source.processes
    )


def ask_for(failover: Failover, seen: Seen) -> tuple[Failover, Action | None]:
    """Return the action of the present step, and the failover with what it has used for it."""
    name, source, target = failover.step.name, failover.source, failover.target
    if name is StepName.READ and failover.mode == "emergency" and failover.missing is None:
        return replace(failover, missing=seen.target.lag or Lag()), None
    if name in (StepName.FENCE, StepName.OPEN, StepName.UNFENCE):
        return _ask_for_record(failover, seen)
    if name is StepName.MOVE and not seen.source.connections:
        return failover, None
    actions: Mapping[StepName, Action] = {
        StepName.BLOCK: Block(source),
        **_ask_to_follow(failover, seen),
        StepName.PROMOTE: Promote(target),
        StepName.FOLLOW: Follow(source, target),
        StepName.FOLLOW_AGAIN: Follow(target, source),
        StepName.SWITCH: Switch(target),
        StepName.MOVE: Move(source, target),
    }
    return failover, actions.get(name)


def _ask_to_follow(failover: Failover, seen: Seen) -> dict[StepName, Action]:
    """Return the order to follow for an old region that came back; its own writes are dropped.

    Only if it does not claim to write: clients that had those writes have handed them back.
    """
    if seen.target.redis_role != "master" or not may_follow(seen.target, seen.source):
        return {}
    return {StepName.PROVE_STANDBY: Follow(failover.target, failover.source, keeps_copy=True)}


def may_follow(region: RegionSeen, leader: RegionSeen) -> bool:
    """True if the record of a region is older than its leader's, or the same and names the leader.

    The same: a client's proof has overruled the region, which then stored the later record.
    """
    return is_superseded(region.record, leader.record, leader.name)


def is_superseded(its: RegionRecord | None, leading: RegionRecord | None, leader: str) -> bool:
    """True if a record is older than that of a leader, or the same and names the leader."""
    if leading is None:
        return False
    if its is None or its.term < leading.term:
        return True
    return its == leading and leading.writer == leader


def _ask_for_record(failover: Failover, seen: Seen) -> tuple[Failover, Action]:
    """Return the record to write; its term is stored before it is used, and used once."""
    region, writer = {
        StepName.FENCE: (failover.source, ""),
        StepName.UNFENCE: (failover.source, failover.source),
        StepName.OPEN: (failover.target, failover.target),
    }[failover.step.name]
    known = [each.record for each in (seen.source, seen.target) if each.record is not None]
    newest = max([failover.term, seen.known_term, *(record.term for record in known)])
    if failover.recorded_for != failover.step.name or newest > failover.term:
        failover = replace(failover, term=newest + 1, recorded_for=failover.step.name)
    return failover, WriteRecord(region, RegionRecord(failover.term, writer))


def _wait_for_reading(failover: Failover, seen: Seen) -> str | None:
    if failover.mode == "emergency":
        if seen.target.redis_role is None:
            return f"the Redis of {failover.target} does not answer"
        return None if failover.missing is not None else "the standby was not read yet"
    for region in (seen.source, seen.target):
        if why := _find_silence(region):
            return why
    return None


def _find_silence(region: RegionSeen) -> str | None:
    if region.answers:
        return None
    if region.silent:
        return f"{', '.join(region.silent)} of {region.name} does not answer"
    return f"{region.name} does not answer: `isshoni up --region {region.name}` starts it"


def _wait_for_proof(failover: Failover, seen: Seen) -> str | None:
    target = seen.target
    if why := _find_silence(target):
        return why
    unready = [each for each in target.processes if not each.standby_ready]
    if unready:
        reasons = "; ".join(f"{each.name}: {each.reason or 'not ready'}" for each in unready)
        return f"{target.name} is not ready as a standby: {reasons}"
    return None


def _wait_for_fence(failover: Failover, seen: Seen) -> str | None:
    return _wait_for_record(seen.source, RegionRecord(failover.term, "")) or _find_unwritten(
        seen.source
    )


def _find_unwritten(region: RegionSeen) -> str | None:
    writing = sum(each.in_flight for each in region.processes)
    return f"{region.name} has {count(writing, 'write')} in flight" if writing else None


def _wait_for_record(region: RegionSeen, record: RegionRecord) -> str | None:
    if not record.term:
        return f"{region.name} was not asked yet"
    if why := _find_silence(region):
        return why
    others = [each.name for each in region.processes if each.record != record]
    if not others:
        return None
    shown = record.writer or "no writer"
    return f"{', '.join(others)} of {region.name} has not confirmed term {record.term}, {shown}"


def _wait_for_copy(failover: Failover, seen: Seen) -> str | None:
    why = _wait_for_record(seen.target, RegionRecord(failover.term, ""))
    if why is None and min(each.stamp for each in seen.target.processes) < failover.fence_stamp:
        # A write of another process may follow the record; it lies before that process's stamp.
        why = f"{failover.target} lacks the last writes before the fence"
    return why and f"{why}; lag: {seen.target.lag or 'unknown'}"


def _wait_for_promotion(failover: Failover, seen: Seen) -> str | None:
    role = seen.target.redis_role
    if role == "master":
        return None
    return f"the Redis of {failover.target} " + ("does not answer" if role is None else "follows")


def _wait_for_opening(failover: Failover, seen: Seen) -> str | None:
    target = seen.target
    if why := _wait_for_writer(target, failover.term):
        return why
    unready = [each for each in target.processes if not each.ready]
    if unready:
        return f"{unready[0].name} of {target.name} is not ready: {unready[0].reason}"
    return None if target.public else f"{target.name} lets no new users in at its address yet"


def _wait_for_writer(region: RegionSeen, least_term: int) -> str | None:
    record = region.record
    if record is None or record.writer != region.name or record.term < least_term:
        return f"{region.name} does not write yet"
    return _wait_for_record(region, record)


def _wait_for_follower(leader: str, region: RegionSeen) -> str | None:
    if region.redis_role is None:
        return f"the Redis of {region.name} does not answer"
    if region.redis_role == "master":
        return f"the Redis of {region.name} does not follow {leader} yet"
    return None if region.redis_link == "up" else f"the link of {region.name} is not up yet"


def _wait_for_old(failover: Failover, seen: Seen) -> str | None:
    return _wait_for_follower(failover.target, seen.source)


def _wait_for_standby(failover: Failover, seen: Seen) -> str | None:
    return _wait_for_follower(failover.source, seen.target)


def _wait_for_block(failover: Failover, seen: Seen) -> str | None:
    return None if seen.source.is_blocked else f"programs of {failover.source} still run"


def _wait_for_switch(failover: Failover, seen: Seen) -> str | None:
    if seen.switched_to == failover.target:
        return None
    return f"new users are sent to {seen.switched_to or 'no region'}"


def _wait_for_moves(failover: Failover, seen: Seen) -> str | None:
    source = seen.source
    if source.processes and source.silent:  # without any it has ended, and its connections too
        return _find_silence(source)
    left = source.connections
    return f"{count(left, 'connection')} left on {failover.source}" if left else None


def _wait_for_unfence(failover: Failover, seen: Seen) -> str | None:
    why = _wait_for_writer(seen.source, failover.term)
    if why is not None and keeps_writing(failover, seen):
        return f"{failover.source} never stopped writing, and does not confirm a new term"
    return why


def _wait_for_all(failover: Failover, seen: Seen) -> str | None:
    if why := _wait_for_opening(failover, seen):
        return why
    if seen.source.is_blocked or not seen.source.processes or failover.mode == "emergency":
        return None
    return _wait_for_moves(failover, seen)


_WAITS: Mapping[StepName, Callable[[Failover, Seen], str | None]] = {
    StepName.READ: _wait_for_reading,
    StepName.PROVE_STANDBY: _wait_for_proof,
    StepName.BLOCK: _wait_for_block,
    StepName.FENCE: _wait_for_fence,
    StepName.CATCH_UP: _wait_for_copy,
    StepName.PROMOTE: _wait_for_promotion,
    StepName.OPEN: _wait_for_opening,
    StepName.FOLLOW: _wait_for_old,
    StepName.SWITCH: _wait_for_switch,
    StepName.MOVE: _wait_for_moves,
    StepName.VERIFY: _wait_for_all,
    StepName.UNFENCE: _wait_for_unfence,
    StepName.FOLLOW_AGAIN: _wait_for_standby,
}
