"""The sender's side of "nothing acknowledged is lost": keep until acknowledged."""

from collections import deque

from isshoni.session.messages import Chat

SENT_KEPT = 500
"""Acknowledged messages that a sender keeps, for the case that Redis loses them."""


class Outbox:
    """A client's messages that are not known to be in the log, in the order of n.

    It outlives connections: on each new one, acknowledge up to `last_n` and send
    everything in `pending()` again, in order, before anything new.
    """

    def __init__(self) -> None:
        self._kept: deque[Chat] = deque()
        self._sent: deque[Chat] = deque(maxlen=SENT_KEPT)
        self._last_n = 0
        self._acknowledged_n = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def last_n(self) -> int:
        """The greatest n given out, or seen acknowledged."""
        return self._last_n

    def add(self, text: str) -> Chat:
        """Give `text` the next n, and keep it until it is acknowledged."""
        message = Chat(n=self._last_n + 1, text=text)
        self._last_n = message.n
        self._kept.append(message)
        return message

    def acknowledge(self, n: int) -> list[int]:
        """Drop everything up to `n`; give the numbers that this acknowledged.

        Repeats and late acknowledgements give nothing. With an `n` beyond our own
        (an older life of this client_id wrote it) counting goes on from there,
        unless messages are waiting: their numbers are already given.
        """
        dropped: list[int] = []
        while self._kept and self._kept[0].n <= n:
            message = self._kept.popleft()
            self._sent.append(message)
            if message.n > self._acknowledged_n:
                dropped.append(message.n)
                self._acknowledged_n = message.n
        self._last_n = max(self._last_n, n)
        return dropped

    def take_back(self, last_n: int) -> int:
        """Keep again what was acknowledged beyond `last_n`: the log lost it.

        Gives how many. They are sent as before, and acknowledged in silence.
        """
        taken = 0
        while self._sent and self._sent[-1].n > last_n:
            self._kept.appendleft(self._sent.pop())
            taken += 1
        return taken

    def can_send_from(self, expected: int) -> bool:
        """Say whether everything from `expected` on is still held here."""
        return not self._kept or self._kept[0].n <= expected

    def renumber(self) -> None:
        """Begin to count anew, for a client_id that the log does not know."""
        kept, self._kept = self._kept, deque()
        self._sent.clear()
        self._last_n = self._acknowledged_n = 0
        for message in kept:
            self.add(message.text)

    def pending(self) -> list[Chat]:
        """List what is not acknowledged, in the order in which it must be sent."""
        return list(self._kept)

    def resend_from(self, expected: int) -> list[Chat]:
        """List what to send when the log expects `expected` (error `gap`).

        What is before `expected` is in the log; its acknowledgement is on the way,
        or comes with the next restore.
        """
        return [message for message in self._kept if message.n >= expected]
