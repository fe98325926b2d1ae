"""Store and read a rollout: flat JSON, the same in every version; fields are only added.

An engine of the version before must be able to take over a rollout of this one, and this
one a rollout of the version before. So the format has no step records:
their fields are stored side by side, and become a record again when they are read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import msgspec
from pydantic import ValidationError

from isshoni.rollout.analysis.evidence import Evidence
from isshoni.rollout.analysis.samples import Counts
from isshoni.rollout.analysis.verdict import Judgement
from isshoni.rollout.clocks import Clocks
from isshoni.rollout.model import Colour, Proof, Release, Stable, Weights
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import (
    ACROSS_STEPS,
    STATE_VERSION,
    Moving,
    Outcome,
    Rollback,
    Rollout,
    StepTiming,
    Trouble,
    WeightsSeen,
)
from isshoni.rollout.step_records import RECORDS, StepRecord
from isshoni.rollout.steps import StepName, plan_steps
from isshoni.validation import list_faults


@dataclass(frozen=True)
class _StoredRollback:
    reason: str
    began: float
    clock_began: float
    """Not used; versions from before `clocks` cannot read a rollback without it."""
    people: int | None = None
    emptying_began: float | None = None
    held_since: float | None = None
    traffic_home: float | None = None
    sessions_home: float | None = None


@dataclass(frozen=True)
class _StoredRollout:
    id: str
    release: Release
    plan: RolloutPlan
    stable: Stable
    began: float
    step_began: float
    force: bool = False
    returning: bool = False
    version: int = STATE_VERSION
    step_index: int = 0
    timings: tuple[StepTiming, ...] = ()
    wanted: Weights | None = None
    weights_seen: tuple[WeightsSeen, ...] = ()
    asked: Mapping[str, float] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    clocks: Clocks = field(default_factory=dict)
    prepared: bool = False
    proof: Proof | None = None
    bake_began: float | None = None
    evidence: Evidence | None = None
    probed: Mapping[Colour, Counts] = field(default_factory=dict)
    probe_faults: Mapping[Colour, str] = field(default_factory=dict)
    probes_underway: bool = False
    baseline: Counts | None = None
    judgements: tuple[Judgement, ...] = ()
    restarts_before: int | None = None
    stable_trouble: Trouble | None = None
    alarms_before: frozenset[str] = frozenset()
    unhealthy_seen: int = 0
    moving: Moving | None = None
    weather: Mapping[str, float] = field(default_factory=dict)
    paused_by: str | None = None
    skip_bake: bool = False
    silent_seconds: float = 0.0
    kept_since: float | None = None
    ending: bool = False
    blind_since: float | None = None
    requests_seen: int = 0
    rollback: _StoredRollback | None = None
    outcome: Outcome = "running"
    reason: str = ""
    ended: float | None = None


_OF_ROLLOUT = {it.name for it in fields(Rollout)} - {"at", "clocks", "rollback"}
_OF_EVERY_RECORD = {it.name for it in fields(StepRecord)}
_OF_ROLLBACK = {it.name for it in fields(Rollback)} - _OF_EVERY_RECORD


def encode_rollout(rollout: Rollout) -> bytes:
    """Return a rollout as JSON."""
    record = rollout.record
    parts: dict[str, Any] = {name: getattr(rollout, name) for name in _OF_ROLLOUT}
    parts |= {"ending": rollout.ending, "step_began": rollout.at.began}
    parts |= {name: getattr(rollout.at, name) for name in _find_own_fields(rollout.step.name)}
    parts |= {"asked": record.asked, "faults": record.faults}
    parts |= {"clocks": {**rollout.clocks, **record.clocks}}
    stored = _StoredRollout(**parts, rollback=_flatten_rollback(rollout.rollback))
    return msgspec.json.encode(stored, enc_hook=_encode_plan)


def decode_rollout(raw: bytes) -> Rollout:
    """Return a stored rollout; fields of a later version are ignored."""
    stored = msgspec.json.decode(raw, type=_StoredRollout, dec_hook=_decode_plan)
    across = {name: it for name, it in stored.clocks.items() if name in ACROSS_STEPS}
    own = {name: it for name, it in stored.clocks.items() if name not in ACROSS_STEPS}
    kept: dict[str, Any] = {"asked": stored.asked, "faults": stored.faults, "clocks": own}
    back, name = stored.rollback, plan_steps(stored.plan)[stored.step_index].name
    fields_of_step = {field: getattr(stored, field) for field in _find_own_fields(name)}
    at = RECORDS[name](began=stored.step_began, **fields_of_step, **({} if back else kept))
    rest: dict[str, Any] = {name: getattr(stored, name) for name in _OF_ROLLOUT}
    return Rollout(at=at, clocks=across, rollback=_make_rollback(back, kept), **rest)


def _flatten_rollback(back: Rollback | None) -> _StoredRollback | None:
    if back is None:
        return None
    own: dict[str, Any] = {name: getattr(back, name) for name in _OF_ROLLBACK}
    return _StoredRollback(**own, began=back.began, clock_began=back.began)


def _make_rollback(back: _StoredRollback | None, kept: Mapping[str, Any]) -> Rollback | None:
    if back is None:
        return None
    own: dict[str, Any] = {name: getattr(back, name) for name in _OF_ROLLBACK}
    return Rollback(began=back.began, **own, **kept)


def _find_own_fields(name: StepName) -> set[str]:
    return {field.name for field in fields(RECORDS[name])} - _OF_EVERY_RECORD


def _encode_plan(value: Any) -> Any:
    if isinstance(value, RolloutPlan):
        return value.model_dump(mode="json")
    raise NotImplementedError(f"cannot encode a {type(value).__name__}")


def _decode_plan(kind: type, value: Any) -> Any:
    if kind is RolloutPlan:
        try:
            return RolloutPlan.model_validate(value, extra="ignore")
        except ValidationError as faults:
            raise ValueError(f"its plan: {list_faults(faults)}") from None
    raise NotImplementedError(f"cannot read a {kind.__name__}")
