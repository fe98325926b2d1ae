"""Find the messages that a program sends to each client that connects."""

from collections.abc import Hashable

GREETING_SECONDS = 0.1
"""Messages that come no later after the client was accepted are taken for greetings."""
_MOST_NAMES = 256


class Greetings:
    """The names of messages that came only just after the client was accepted.

    A new program sends them again; its copy, one of each name a move, is not for the client.
    """

    __slots__ = ("_accepted_at", "_dropped", "_early", "_later")

    def __init__(self) -> None:
        self._accepted_at: float | None = None
        self._early: set[Hashable] = set()
        self._later: set[Hashable] = set()
        self._dropped: set[Hashable] = set()

    def accepted(self, now: float) -> None:
        """Record that the first program has accepted the client."""
        if self._accepted_at is None:
            self._accepted_at = now

    def forget_dropped(self) -> None:
        """Expect each greeting once more: a move begins."""
        self._dropped.clear()

    def learn(self, name: Hashable, now: float) -> None:
        """Record a message of the program that serves the client."""
        early = self._accepted_at is None or now - self._accepted_at < GREETING_SECONDS
        names = self._early if early else self._later
        if len(names) < _MOST_NAMES:
            names.add(name)

    def is_repeat(self, name: Hashable) -> bool:
        """True if a new program's message is the greeting that the client already has."""
        if name not in self._early or name in self._later or name in self._dropped:
            return False
        self._dropped.add(name)
        return True
