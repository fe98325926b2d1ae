"""What is left on the old colour when its time is over, in words."""

from collections.abc import Callable
from dataclasses import replace

from isshoni.rollout.model import (
    BackendStatus,
    MigrationStatus,
    Observation,
    Relaying,
    Release,
    SlotState,
    Stable,
    TrafficSample,
    Weights,
)
from isshoni.rollout.stragglers import describe_closed, describe_stragglers

RELAYED = Release("v1", command="serve {port}", relay=Relaying())
MOVE = MigrationStatus("green", told=9, moved=5, closed=0, remaining=4, done=False)


def observe(
    release: Release,
    *,
    http: int = 0,
    migration: MigrationStatus | None = None,
    describe: Callable[[Observation, Stable], str] = describe_stragglers,
) -> str:
    status = BackendStatus("", True, False, 4, 4, migration=migration) if migration else None
    seen = Observation(
        slots={"blue": SlotState(release, True, True), "green": SlotState()},
        weights=Weights(0, 100),
        traffic={"blue": TrafficSample(open_connections=http)},
        backends={"blue": status, "green": None},
    )
    return describe(seen, Stable("blue", release))


def test_sockets_that_could_not_be_moved_are_listed_with_their_reasons() -> None:
    stuck = replace(MOVE, failures={"refused": 3, "never_quiet": 1})
    assert observe(RELAYED, migration=stuck) == (
        "4 stragglers (1: there was no quiet moment; 3: the new program refused them)"
    )


def test_answers_that_have_not_ended_are_counted_apart() -> None:
    assert observe(RELAYED, migration=MOVE, http=2) == (
        "4 stragglers (2: HTTP answers that have not ended)"
    )


def test_those_that_were_closed_are_listed_with_their_reasons() -> None:
    assert observe(RELAYED, migration=MOVE, describe=describe_closed) == ""
    closed = replace(MOVE, closed=5, closed_for={"protocol": 5})
    assert observe(RELAYED, migration=closed, describe=describe_closed) == (
        "; 5 were closed, because they could not be moved (5: their protocol cannot be moved)"
    )


def test_without_a_relay_that_is_the_reason() -> None:
    left = observe(Release("v1", command="serve {port}"), http=7)
    assert left == "7 stragglers (v1 has neither an admin API nor a relay)"
