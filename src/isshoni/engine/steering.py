"""Control a rollout from another terminal: by a request in the journal, and its answer."""

from dataclasses import dataclass

from isshoni.engine.advice import advise_to_continue
from isshoni.engine.environment import Clock, Environment
from isshoni.engine.errors import JournalFault, NothingToDo
from isshoni.engine.journal import Record
from isshoni.engine.lease import is_free
from isshoni.rollout.state import RequestKind, Rollout
from isshoni.rollout.steps import Step

ANSWER_SECONDS = 10.0
"""A live engine answers a request within a turn; this is far longer than one."""
_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Answer:
    """The engine's answer to a request."""

    rollout: Rollout
    """The rollout as it is now: it may have passed the step that the request concerned."""
    step: Step
    """The step at which the engine accepted or refused the request."""
    refused: bool
    why: str


def file_request(environment: Environment, kind: RequestKind, *, who: str, at: float) -> int:
    """Add a request for the running rollout and return its id. Raises `NothingToDo`."""
    return environment.journal.file_request(
        _find_running(environment, kind).id, kind, who=who, at=at
    )


async def steer(environment: Environment, clock: Clock, kind: RequestKind, who: str) -> Answer:
    """Send a request to the running engine, and return its answer.

    Raises `NothingToDo` when no rollout runs or none works on it, and `JournalFault`.
    """
    rollout = find_steerable(environment, clock, kind)
    number = file_request(environment, kind, who=who, at=clock.now())
    deadline = clock.now() + ANSWER_SECONDS
    while True:
        answer = find_answer(environment, rollout.id, number)
        if answer is not None:
            return answer
        _check_engine(environment, clock.now(), rollout, kind)
        if clock.now() > deadline:
            raise NothingToDo(
                f"the engine has not answered in {ANSWER_SECONDS:g} s; the request stays "
                "in the journal, and `isshoni status` shows if it takes effect"
            )
        await clock.sleep(_LOOK_SECONDS)


def find_steerable(environment: Environment, clock: Clock, kind: RequestKind) -> Rollout:
    """Return the rollout whose engine would get a request; raises `NothingToDo`."""
    rollout = _find_running(environment, kind)
    _check_engine(environment, clock.now(), rollout, kind)
    return rollout


def _find_running(environment: Environment, kind: RequestKind) -> Rollout:
    latest = environment.journal.read_latest()
    if latest is None or latest.rollout.outcome != "running":
        what = "no bake to skip" if kind == "skip_bake" else f"none to {kind}"
        raise NothingToDo(f"no rollout is running, so there is {what}")
    return latest.rollout


def _check_engine(
    environment: Environment, now: float, rollout: Rollout, kind: RequestKind
) -> None:
    ended = environment.journal.read_rollout(rollout.id)
    if ended is not None and ended.rollout.outcome != "running":
        outcome = ended.rollout.outcome.replace("_", " ")
        raise NothingToDo(f"rollout {rollout.id} has ended by now: {outcome}")
    if is_free(environment.journal.read_lease(), now):
        raise NothingToDo(
            f"no engine works on rollout {rollout.id} of {rollout.release.label}, which "
            f"stays as it is: {advise_to_continue(rollout)}"
        )


def find_answer(environment: Environment, rollout_id: str, number: int) -> Answer | None:
    """Return the answer to a request; None if there is none yet."""
    records = environment.journal.read_records(rollout_id)
    answer = next((r for r in reversed(records) if r.data.get("request") == number), None)
    if answer is None:
        return None
    return _as_answer(environment, rollout_id, answer)


def _as_answer(environment: Environment, rollout_id: str, record: Record) -> Answer:
    saved = environment.journal.read_rollout(rollout_id)
    if saved is None:
        raise JournalFault(f"rollout {rollout_id} is gone from the journal")
    rollout = saved.rollout
    step = rollout.steps[record.step - 1]
    return Answer(rollout, step, refused=record.what == "too_late", why=record.why)
