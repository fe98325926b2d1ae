"""When to come back: exponential backoff with full jitter."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class BackoffPolicy:
    """How long to wait before coming back; each figure bounds a random delay."""

    first_seconds: float = 0.2
    prompt_seconds: float = 0.05
    """For the first attempt when the server asked us to come back at once."""
    factor: float = 2.0
    longest_seconds: float = 3.0
    """After this long at the latest everybody tries: a server that is back within seven
    seconds has them all within ten, whatever they drew."""
    stable_seconds: float = 5.0
    """A restore that held this long ends the series of failures."""


class Backoff:
    """The delays of one client, after "Exponential Backoff And Jitter" (AWS, 2015).

    `random` gives a float in [0, 1). Only a restore that held resets the series: a
    server that takes us in and drops us at once must not be stormed.
    """

    def __init__(self, policy: BackoffPolicy, random: Callable[[], float]) -> None:
        self._policy = policy
        self._random = random
        self._attempt = 0
        self._restored_at: float | None = None

    def restored(self, now: float) -> None:
        """Record that a connection is restored: if it lasts, the delays start again."""
        self._restored_at = now

    def next_delay_seconds(self, now: float, *, prompt: bool = False) -> float:
        """Return the delay before the next attempt, after a loss or a failed attempt.

        `prompt`: the server said "at once" (1012, 4000); believed once in a series.
        """
        if self._held(now):
            self._attempt = 0
        self._restored_at = None
        bound = self._bound(prompt and self._attempt == 0)
        self._attempt += 1
        return self._random() * bound

    def _held(self, now: float) -> bool:
        restored_at = self._restored_at
        return restored_at is not None and now - restored_at >= self._policy.stable_seconds

    def _bound(self, prompt: bool) -> float:
        if prompt:
            return self._policy.prompt_seconds
        policy, bound = self._policy, self._policy.first_seconds
        for _ in range(self._attempt):
            if bound >= policy.longest_seconds:
                break
            bound *= policy.factor
        return min(bound, policy.longest_seconds)
