"""When rounds of probes are sent."""

from isshoni.rollout.actions import ActionResult, SendProbes
from isshoni.rollout.decide import Decision, decide
from isshoni.rollout.gathering import LONGEST_ROUND_SECONDS
from isshoni.rollout.look import RETRY_SECONDS, Turn
from isshoni.rollout.state import Rollout, resume_rollout
from isshoni.rollout.step_records import Baking
from isshoni.rollout.steps import StepName
from tests.unit.rollout.driver import Driver


class Canary:
    """A canary step whose looks find the same, at times that a test chooses."""

    def __init__(self) -> None:
        drive = Driver()
        drive.world.slots["green"].stubborn = 1
        drive.turn_until_step(StepName.CANARY, 10)
        drive.turn()
        self.rollout: Rollout = drive.rollout
        self.seen = drive.world.observe()
        self.began = drive.world.now
        self.last = Decision(self.rollout)

    def look(self, seconds: float, *, ended: bool = False) -> bool:
        """Look again; True if a round of probes is sent."""
        results = (ActionResult(SendProbes(())),) if ended else ()
        decision = decide(self.rollout, Turn(self.began + seconds, self.seen, results))
        self.rollout = decision.rollout
        return any(isinstance(action, SendProbes) for action in decision.actions)


def test_next_round_is_sent_at_once_when_the_one_before_has_ended() -> None:
    canary = Canary()
    assert canary.look(20, ended=True)
    assert not canary.look(21)
    assert canary.look(21.25, ended=True)


def test_short_rounds_are_sent_once_a_second() -> None:
    canary = Canary()
    sent = [canary.look(quarter / 4, ended=True) for quarter in range(1, 41)]
    assert 9 <= sum(sent) <= 10 / RETRY_SECONDS + 1


def test_long_round_is_not_sent_twice() -> None:
    canary = Canary()
    sent = [canary.look(quarter / 4) for quarter in range(1, int(LONGEST_ROUND_SECONDS) * 4)]
    assert sum(sent) <= 1


def test_round_that_never_ends_is_sent_again() -> None:
    canary = Canary()
    canary.look(1.5, ended=True)
    assert canary.look(1.5 + LONGEST_ROUND_SECONDS + RETRY_SECONDS)


def test_engine_that_takes_over_sends_a_round_of_its_own() -> None:
    canary = Canary()
    canary.look(0.25, ended=True)
    canary.look(1.5)
    assert canary.rollout.recall(Baking).probes_underway
    canary.rollout = resume_rollout(canary.rollout, canary.began + 60)
    assert canary.look(61)
