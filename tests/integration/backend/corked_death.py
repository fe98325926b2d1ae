"""A backend that is killed at the moment when it should write what it corked.

    python corked_death.py

The `ISSHONI_TEST_DIES_AT`-th turn of the event loop that has a frame for a client is its last.
"""

import os
import signal
import sys

from isshoni.backend.live.turn import Turn
from isshoni.backend.process.server import main

_write = Turn.flush
_turns = 0


def _die_instead(self: Turn) -> None:
    global _turns
    _turns += 1
    if _turns == int(os.environ["ISSHONI_TEST_DIES_AT"]):
        os.kill(os.getpid(), signal.SIGKILL)
    _write(self)


Turn.flush = _die_instead  # type: ignore[method-assign]

if __name__ == "__main__":
    sys.exit(main())
