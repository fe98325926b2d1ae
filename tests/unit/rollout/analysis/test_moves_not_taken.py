"""A candidate that does not answer the handshakes of some clients that a relay moves to it."""

import random
from collections.abc import Callable

import pytest

from isshoni.rollout.analysis.evidence import Evidence, weigh_look
from isshoni.rollout.analysis.verdict import assess_candidate
from isshoni.rollout.model import (
    BackendStatus,
    MigrationStatus,
    Observation,
    SlotState,
    TrafficSample,
    Weights,
)
from isshoni.rollout.plan import Thresholds

LIMITS = Thresholds()
DIAL_SECONDS = 5.0
PAUSES = (1.0, 2.0, 4.0)
BAKE_SECONDS, HOLD_SECONDS, STALL_SECONDS = 3.0, 15.0, 12.0
Hangs = Callable[[int, float], bool]
"""True if the candidate leaves a handshake unanswered: the number of the try, and when it is."""


class Relay:
    """Moves clients to the candidate, ten a second, and tries again those that were not taken."""

    def __init__(self, clients: int, hangs: Hangs) -> None:
        self._hangs = hangs
        self._tries = 0
        self._due = [(number / 10, 0) for number in range(clients)]
        self._ends: list[tuple[float, int]] = []
        self.moved = self.not_taken = self.failing = 0
        self.moved_at = 0.0

    def run_until(self, now: float) -> None:
        """Begin the tries that are due, and end those that have taken their time."""
        for begins, tried in [one for one in self._due if one[0] <= now]:
            self._due.remove((begins, tried))
            self._tries += 1
            if self._hangs(self._tries, now):
                self._ends.append((begins + DIAL_SECONDS, tried))
            else:
                self.moved, self.failing = self.moved + 1, self.failing - (tried > 0)
                self.moved_at = now
        for ends, tried in [one for one in self._ends if one[0] <= now]:
            self._ends.remove((ends, tried))
            self.not_taken, self.failing = self.not_taken + 1, self.failing + (tried == 0)
            self._due.append((ends + PAUSES[min(tried, 2)], tried + 1))

    @property
    def has_moved(self) -> bool:
        """True if no client is left."""
        return not self._due and not self._ends


def run_bake(relay: Relay) -> str:
    """Look each second as a canary of the whole crowd does; return `promoted` or why not."""
    evidence, baked_from, held_from = Evidence(0.0), None, None
    for now in map(float, range(1, 300)):
        relay.run_until(now)
        tried = relay.moved + relay.not_taken
        mine = {
            "balancer_requests": 400 * int(now),
            "moves_tried": tried,
            "moves_not_taken": relay.not_taken,
            "connections_opened": tried,
            "connections_failed": relay.not_taken,
        }
        evidence = weigh_look(evidence, mine, {}, now, LIMITS, exposed=True)
        verdict = assess_candidate(evidence, {}, observe(relay), "green", LIMITS, speaks=True)
        if verdict.kind == "fail":
            return verdict.reason
        if baked_from is None and (relay.has_moved or now - relay.moved_at > STALL_SECONDS):
            baked_from = now
        if baked_from is None or now - baked_from < BAKE_SECONDS:
            continue
        if verdict.kind == "pass":
            return "promoted"
        held_from = now if held_from is None else held_from
        if now - held_from > HOLD_SECONDS:
            return verdict.reason
    raise AssertionError("no verdict")


def observe(relay: Relay) -> Observation:
    waiting = {"unreachable": relay.failing} if relay.failing else {}
    move = MigrationStatus(
        "green", relay.moved, relay.moved, 0, relay.failing, relay.has_moved, failures=waiting
    )
    blue = BackendStatus("v1", True, False, relay.failing, 1, migration=move, relayed=True)
    green = BackendStatus("v2", True, False, relay.moved, 1, relayed=True)
    return Observation(
        {"blue": SlotState(), "green": SlotState()},
        Weights(0, 100),
        {"blue": TrafficSample(), "green": TrafficSample()},
        {"blue": blue, "green": green},
    )


@pytest.mark.parametrize("clients", [12, 50, 200])
@pytest.mark.parametrize("seed", range(8))
def test_a_candidate_that_takes_one_of_three_is_not_promoted(clients: int, seed: int) -> None:
    chance = random.Random(seed)
    outcome = run_bake(Relay(clients, lambda number, now: chance.random() < 2 / 3))
    assert outcome != "promoted"


@pytest.mark.parametrize("clients", [6, 12, 50, 200])
def test_a_candidate_that_answers_every_third_try_is_not_promoted(clients: int) -> None:
    assert run_bake(Relay(clients, lambda number, now: number % 3 != 0)) != "promoted"


@pytest.mark.parametrize("clients", [20, 50, 200])
def test_a_candidate_that_never_takes_some_of_the_clients_is_not_promoted(clients: int) -> None:
    first = set(range(1, clients + 1, 5))
    outcome = run_bake(Relay(clients, lambda number, now: number in first or number > clients))
    assert outcome != "promoted"


@pytest.mark.parametrize("clients", [6, 12, 50, 200])
def test_a_candidate_that_answered_nothing_for_some_seconds_is_promoted(clients: int) -> None:
    assert run_bake(Relay(clients, lambda number, now: now < 4.0)) == "promoted"


@pytest.mark.parametrize("clients", [1, 6, 50, 200])
def test_a_candidate_that_takes_all_is_promoted(clients: int) -> None:
    assert run_bake(Relay(clients, lambda number, now: False)) == "promoted"
