"""Find out whether an old program is behind with messages that a new one has delivered.

Programs that share a bus read it at their own pace. A message that the new program delivered
before it had the client, and that the old one would deliver after the client has left, is lost.
So the client leaves only when the old program has repeated what the new one, which serves the
client already, delivered first: all earlier messages came before.

Some programs send what their own clients say before they publish it. Its copy by the new program
can come first all the same, by chance, and shows nothing. So several repeats are needed, and none
of the messages before them may be missing.
"""

from collections.abc import Hashable, Mapping

REPEATS = 3
"""So many messages have to be repeated."""
LISTEN_SECONDS = 0.5
"""How long messages that the new program delivers first are waited for, if there is traffic."""
UNKNOWN_SECONDS = 1.0
"""How long for the old program to repeat one, before it is known whether programs share any."""
APART_SECONDS = 0.2
"""How long, if the last one was waited for in vain: programs that share nothing."""
SHARED_SECONDS = 20.0
"""How long, if programs have often delivered the same."""
RECENT_SECONDS = 30.0
"""How long the longest lag is remembered."""
MIXED_SECONDS = 600.0
"""How long it is remembered that programs also send what they do not share."""
_CHANCE_SECONDS = 0.2
"""Two copies of one message that are further apart are not in this order by chance."""
_MANY = 10
_MOST_KEPT = 10_000


class Lag:
    """How far programs were behind one another, in the moves of all clients of a relay."""

    def __init__(self) -> None:
        self._shared = 0
        """Messages that both programs delivered, since one was waited for in vain."""
        self._was_in_vain = False
        self._mixed_until = float("-inf")
        self._old, self._new = _Longest(), _Longest()

    def share(self, count: int) -> None:
        """Record messages that both programs have delivered."""
        self._shared += count
        self._was_in_vain = self._was_in_vain and self._shared < _MANY

    def add(self, seconds: float, now: float, *, of_new: bool) -> None:
        """Record how much later one program delivered what the other one delivered first."""
        (self._new if of_new else self._old).add(seconds, now)

    def window(self, now: float, least: float) -> float:
        """Return how long to remember what the old program delivers, in seconds."""
        return min(max(least, 2 * self._new.recent(now)), SHARED_SECONDS)

    def give_up(self, now: float, *, was_repeated: bool) -> None:
        """Record that the old program did not repeat a message; `was_repeated`: but later ones."""
        if was_repeated:
            self._mixed_until = now + MIXED_SECONDS
        else:
            self._shared, self._was_in_vain = 0, True

    def is_mixed(self, now: float) -> bool:
        """True if programs share some of their messages, and send others to one client alone."""
        return now < self._mixed_until

    def least(self, now: float, *, is_active: bool) -> float:
        """Return how long to wait for the new program to deliver a message first, in seconds.

        `is_active`: messages came not long ago.
        """
        listen = LISTEN_SECONDS if is_active and not self._was_in_vain else 0.0
        return min(max(2 * self._old.recent(now), listen), SHARED_SECONDS)

    def most(self, now: float) -> float:
        """Return how long to wait for the old program to repeat a message, in seconds."""
        if self._shared >= _MANY:
            return SHARED_SECONDS if not self.is_mixed(now) else self.least(now, is_active=True)
        return APART_SECONDS if self._was_in_vain else UNKNOWN_SECONDS


class _Longest:
    """The longest lag of a while."""

    def __init__(self) -> None:
        self._seconds, self._at = 0.0, float("-inf")

    def add(self, seconds: float, now: float) -> None:
        if seconds >= self.recent(now):
            self._seconds, self._at = seconds, now

    def recent(self, now: float) -> float:
        return self._seconds if now - self._at < RECENT_SECONDS else 0.0


class Behind:
    """The messages that a new program delivered first, since it surely serves a client."""

    def __init__(self, since: float, delivered: Mapping[Hashable, float]) -> None:
        self._since = since
        self._delivered = dict(delivered)
        """When the old program last delivered each message."""
        self._ahead: dict[Hashable, float] = {}
        """When the new program delivered those that the old one has not repeated, oldest first."""
        self._shared = self._repeats = 0
        self._lags: list[tuple[bool, float]] = []
        """Those that were seen and not recorded yet; True for lags of the new program."""
        self._is_over = False

    def new_delivered(self, key: Hashable, now: float) -> None:
        """Record a message of the new program."""
        old_at = self._delivered.get(key)
        if old_at is not None:
            self._shared += 1
            self._lags.append((True, now - old_at))
            # Even if the new one is behind: the old one may be too, if it sends its own first.
        elif not self._is_over and len(self._ahead) < _MOST_KEPT:
            self._ahead.setdefault(key, now)

    def old_delivered(self, key: Hashable, now: float) -> None:
        """Record a message of the old program."""
        self._delivered[key] = now
        at = self._ahead.pop(key, None)
        if at is None:
            return
        self._shared += 1
        self._repeats += 1
        self._lags.append((False, now - at))
        in_order = not self._ahead or next(iter(self._ahead.values())) >= at
        if now - at > _CHANCE_SECONDS or (in_order and self._repeats >= REPEATS):
            self._finish()

    def _finish(self) -> None:
        self._is_over = True
        self._ahead.clear()

    def is_behind(self, lag: Lag, now: float) -> bool:
        """True while the client must stay with the old program; records what was learnt."""
        lag.share(self._shared)
        for of_new, seconds in self._lags:
            lag.add(seconds, now, of_new=of_new)
        self._shared, self._lags = 0, []
        if self._is_over or (self._repeats >= REPEATS and lag.is_mixed(now)):
            return False
        if not self._ahead:
            return now - self._since < lag.least(now, is_active=bool(self._delivered))
        if now - next(iter(self._ahead.values())) < lag.most(now):
            return True
        lag.give_up(now, was_repeated=self._repeats > 0)
        self._finish()
        return False
