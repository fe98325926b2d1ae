"""The sender's side of "nothing acknowledged is lost": keep until acknowledged."""

from collections import deque

from isshoni.session.messages import Chat


class Outbox:
    """A client's messages that are not known to be in the log, in the order of n.

    It outlives connections: on each new one, acknowledge up to `last_n` and send
    everything in `pending()` again, in order, before anything new.
    """

    def __init__(self) -> None:
        self._kept: deque[Chat] = deque()
        self._last_n = 0

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
            dropped.append(self._kept.popleft().n)
        self._last_n = max(self._last_n, n)
        return dropped

    def pending(self) -> list[Chat]:
        """List what is not acknowledged, in the order in which it must be sent."""
        return list(self._kept)

    def resend_from(self, expected: int) -> list[Chat]:
        """List what to send when the log expects `expected` (error `gap`).

        What is before `expected` is in the log; its acknowledgement is on the way,
        or comes with the next restore.
        """
        return [message for message in self._kept if message.n >= expected]
