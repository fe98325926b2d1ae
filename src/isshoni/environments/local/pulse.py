"""Check that a program still answers: a program may hang without exiting.

Any answer counts: a program that reports that it is not ready, or that Redis is away, does not
hang. Each turn makes a few non-blocking socket calls, because the supervisor has one thread.
"""

import contextlib
import select
import socket

EVERY_SECONDS = 2.0
STARTING_EVERY_SECONDS = 0.25
"""Before the first answer: a program that has never answered counts as starting, not as hanging."""
ANSWER_SECONDS = 5.0
MOST_A_TURN_SECONDS = 1.0
"""The most that one turn adds to a silence: if the supervisor itself, or the whole machine, was
frozen, the program was not asked during that time."""


class Pulse:
    """Sends a program requests, and measures how long it has not answered."""

    def __init__(self, host: str, port: int, question: bytes) -> None:
        self._where = (host, port)
        self._question = question
        self._socket: socket.socket | None = None
        self._asked = False
        self._began = 0.0
        self._next_at = 0.0
        self._last_turn: float | None = None
        self.silent_seconds = 0.0
        """Seconds since the last answer or, before one, since the first request."""
        self.answered = False
        """True once it has answered."""

    def turn(self, now: float) -> None:
        """Send a request or check for its answer, at the monotonic time `now`; never blocks."""
        if self._last_turn is not None:
            self.silent_seconds += min(max(0.0, now - self._last_turn), MOST_A_TURN_SECONDS)
        self._last_turn = now
        if self._socket is None:
            if now >= self._next_at:
                self._begin(now)
        elif self._hears():
            self.answered, self.silent_seconds = True, 0.0
            self.close()
        elif now - self._began > ANSWER_SECONDS:
            self.close()

    def close(self) -> None:
        """Close the connection of the current request."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _begin(self, now: float) -> None:
        self._next_at = now + (EVERY_SECONDS if self.answered else STARTING_EVERY_SECONDS)
        self._began, self._asked = now, False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            try:
                self._socket.connect(self._where)
            except BlockingIOError:
                raise
            except OSError:
                self.close()

    def _hears(self) -> bool:
        """Send the request once connected; return True if any byte has come back."""
        assert self._socket is not None
        try:
            readable, writable, _ = select.select([self._socket], [self._socket], [], 0)
            if writable and not self._asked:
                self._socket.sendall(self._question)
                self._asked = True
            return bool(readable) and bool(self._socket.recv(1))
        except BlockingIOError:
            return False
        except OSError:
            self.close()
            return False


def make_pulse(url: str) -> Pulse:
    """Return a `Pulse` for `http://HOST:PORT/PATH` or `redis://HOST:PORT`."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    host, _, port = authority.rpartition(":")
    if scheme == "redis":
        return Pulse(host, int(port), b"PING\r\n")
    head = f"GET {slash}{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
    return Pulse(host, int(port), head.encode())
