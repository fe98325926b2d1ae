"""A rollout can be taken over by the version before, and from it.

`journals/` holds what that version wrote, when the rollout's record had all fields side by
side: at each step, and during a rollback.
"""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from isshoni.rollout.state import resume_rollout
from isshoni.rollout.step_records import Baking, EndingOld, Proving, Starting
from isshoni.rollout.steps import StepName
from isshoni.rollout.stored import decode_rollout, encode_rollout
from tests.support.fake_environment import V1, World
from tests.unit.rollout.driver import Driver

JOURNALS = sorted((Path(__file__).parent / "journals").glob("*.json"))
OF_EARLIER_STEPS = {"prepared", "proof", "baseline", "bake_began", "skip_bake", "kept_since"}
"""Fields that the version before keeps beyond their step, and does not read any more there."""


def read(name: str) -> bytes:
    return (Path(__file__).parent / "journals" / f"{name}.json").read_bytes()


@pytest.mark.spec("C7")
@pytest.mark.parametrize("path", JOURNALS, ids=lambda path: path.stem)
def test_rollout_of_the_version_before_is_written_as_it_was(path: Path) -> None:
    before: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    after = msgspec.json.decode(encode_rollout(decode_rollout(path.read_bytes())))
    assert set(before) <= set(after)
    changed = {name for name in before if not contains(after[name], before[name])}
    assert changed <= OF_EARLIER_STEPS


def contains(new: Any, old: Any) -> bool:
    """True if everything that is in `old` is in `new`; fields may have been added."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(name in new and contains(new[name], old[name]) for name in old)
    return bool(new == old)


def test_fields_are_in_the_record_of_their_step() -> None:
    assert isinstance(decode_rollout(read("start_candidate")).at, Starting)
    assert decode_rollout(read("canary_50")).recall(Baking).baseline
    assert decode_rollout(read("canary_50")).recall(Baking).bake_began
    assert decode_rollout(read("end_old")).recall(EndingOld).kept_since
    assert decode_rollout(read("promote")).ending
    assert not decode_rollout(read("wait_stragglers")).ending
    assert isinstance(decode_rollout(read("prove")).at, Proving)


@pytest.mark.parametrize("path", JOURNALS, ids=lambda path: path.stem)
def test_rollout_of_the_version_before_is_taken_over(path: Path) -> None:
    rollout = decode_rollout(path.read_bytes())
    drive = Driver(build_world(rollout.step_index, rolled_back=rollout.rollback is not None))
    drive.world.now = rollout.timings[-1].began + 60
    drive.rollout = resume_rollout(rollout, drive.world.now)
    wanted = "promoted" if rollout.rollback is None else "rolled_back"
    assert drive.turn_until_end().outcome == wanted


def build_world(step_index: int, *, rolled_back: bool) -> World:
    """Return what the environment is like when a rollout is at a step, or just past it."""
    drive = Driver()
    drive.turn_until(lambda: drive.rollout.step_index >= step_index)
    if rolled_back:
        drive.ask("rollback")
        drive.turn()
    return drive.world


@pytest.mark.parametrize("name", list(StepName))
def test_every_step_survives_writing(name: StepName) -> None:
    drive = Driver()
    drive.turn_until(lambda: drive.rollout.step.name is name or drive.rollout.outcome != "running")
    for decision in drive.decisions:
        assert decode_rollout(encode_rollout(decision.rollout)) == decision.rollout


def test_rollback_survives_writing() -> None:
    drive = Driver()
    drive.turn_until_step(StepName.CANARY, 50)
    drive.ask("abort")
    drive.turn_until_end()
    for decision in drive.decisions:
        assert decode_rollout(encode_rollout(decision.rollout)) == decision.rollout


def test_state_survives_writing_and_fields_of_a_later_version() -> None:
    drive = Driver()
    drive.turn_until_step(StepName.CANARY, 100)
    drive.turn()
    raw = msgspec.json.decode(encode_rollout(drive.rollout))
    raw["invented"] = 1
    raw["plan"]["invented"] = 2
    raw["stable"]["invented"] = 3
    assert decode_rollout(msgspec.json.encode(raw)) == drive.rollout
    assert drive.rollout.stable.release == V1


def test_damaged_plan_is_reported_in_one_line_by_its_setting() -> None:
    raw = msgspec.json.decode(encode_rollout(Driver().rollout))
    raw["plan"] |= {"bake_seconds": -1, "weights": [10, 5]}
    with pytest.raises(ValueError, match=r"its plan: .*bake_seconds: must be 0 or more") as caught:
        decode_rollout(msgspec.json.encode(raw))
    assert "\n" not in str(caught.value)
