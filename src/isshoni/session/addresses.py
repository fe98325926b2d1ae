"""Which address a client tries next, when it knows of several regions.

Pure. The TypeScript client has the same rules, and both pass tests/vectors/addresses.json.
"""

import math
from collections.abc import Iterable

MOST_ALTERNATIVES = 8
_EAGER_ROUNDS = 8
_EAGER_PAUSE_SECONDS = 0.8
"""The longest pause in the first rounds: a region that takes over needs a few seconds."""


class Addresses:
    """The addresses of one client: the one in use, and the others in the order of their turns.

    When a connection is lost its address is tried again first: most losses are restarts of a
    process. When that attempt fails, each other address is tried at once, and a pause follows only
    when all of them have failed.
    """

    def __init__(self, home: str, alternatives: Iterable[str] = ()) -> None:
        self.home = home
        self._all = [home]
        self.current = home
        self._tried: set[str] = set()
        self.failed_rounds = 0
        """How often every address has failed since the last restore."""
        self._adopt(home, alternatives)

    @property
    def has_others(self) -> bool:
        """True if there is more than one address."""
        return len(self._all) > 1

    @property
    def longest_pause_seconds(self) -> float:
        """The bound of the pause after a round."""
        eager = self.has_others and self.failed_rounds <= _EAGER_ROUNDS
        return _EAGER_PAUSE_SECONDS if eager else math.inf

    def restored(self, address: str, alternatives: Iterable[str] = ()) -> None:
        """Use an address whose server has named the others; none named changes none."""
        self._tried.clear()
        self.failed_rounds = 0
        self._adopt(address, alternatives)

    def lost(self) -> None:
        """Handle the loss of a restored connection: its address comes first."""
        self._tried.clear()

    def fail(self) -> bool:
        """Go on to the next address; True if it has not been tried in this round."""
        self._tried.add(self.current)
        self.current = self._all[(self._all.index(self.current) + 1) % len(self._all)]
        if self.current not in self._tried:
            return True
        self._tried.clear()
        self.failed_rounds += 1
        return False

    def _adopt(self, address: str, alternatives: Iterable[str]) -> None:
        named = [to_websocket(it) for it in alternatives if it.startswith(("http://", "https://"))]
        others = named[:MOST_ALTERNATIVES] or self._all
        self._all = list(dict.fromkeys((address, *others, self.home)))
        self.current = address


def to_websocket(origin: str) -> str:
    """Return the address of the WebSockets of an HTTP origin."""
    return "ws" + origin.rstrip("/").removeprefix("http") if origin.startswith("http") else origin
