"""Choose when to reconnect: exponential backoff with full jitter."""

import math
from collections.abc import Callable
from dataclasses import dataclass

LONGEST_WAIT_SECONDS = 60.0
"""The longest time that a server can make a client wait before it asks again."""


def read_wait_seconds(retry_after_ms: int) -> float:
    """Return how long to wait before asking again: the server chose it at random, and knows."""
    return min(max(0, retry_after_ms) / 1000, LONGEST_WAIT_SECONDS)


@dataclass(frozen=True)
class BackoffPolicy:
    """The bounds of the random delays before a client reconnects."""

    first_seconds: float = 0.2
    prompt_seconds: float = 0.05
    """The bound of the first delay if the server asked the client to reconnect at once."""
    factor: float = 2.0
    longest_seconds: float = 3.0
    """The greatest bound: a server that is back after at most seven seconds has all its clients
    within ten."""
    stable_seconds: float = 5.0
    """Seconds that a restored connection must last to end the series of failures."""


class Backoff:
    """The delays of one client, after "Exponential Backoff And Jitter" (AWS, 2015).

    `random` returns a float in [0, 1). Only a connection that lasted resets the series: a server
    that accepts clients and drops them at once must not be flooded.
    """

    def __init__(self, policy: BackoffPolicy, random: Callable[[], float]) -> None:
        self._policy = policy
        self._random = random
        self._attempt = 0
        self._restored_at: float | None = None

    def restored(self, now: float) -> None:
        """Record that a connection is restored: if it lasts, the delays start again."""
        self._restored_at = now

    def next_delay_seconds(
        self, now: float, *, prompt: bool = False, longest_seconds: float = math.inf
    ) -> float:
        """Return the delay before the next attempt, after a loss or a failed attempt.

        `prompt`: the server closed with 1012 or 4000, which asks for a prompt return; it counts
        only for the first attempt of a series. `longest_seconds` bounds this one delay.
        """
        if self._lasted(now):
            self._attempt = 0
        self._restored_at = None
        bound = min(self._bound(prompt and self._attempt == 0), longest_seconds)
        self._attempt += 1
        return self._random() * bound

    def _lasted(self, now: float) -> bool:
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
