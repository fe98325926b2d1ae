"""`python -m tests.support.mortal_relay WHEN MESSAGE`: a relay that is killed during an upgrade.

WHEN is `before` or `after` it sends a MESSAGE, or once it has `received` one.
"""

import os
import signal
import sys
from collections.abc import Sequence

from isshoni.relay import process
from isshoni.relay.__main__ import main
from isshoni.relay.upgrade.line import Line
from isshoni.relay.upgrade.messages import Message

WHEN, NAME = sys.argv[1:3]


class MortalLine(Line):
    """A line whose process is killed at one message."""

    async def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send a message."""
        self._step("before", message)
        await super().send(message, descriptors)
        self._step("after", message)

    async def receive(self) -> tuple[Message, list[int]]:
        """Receive a message."""
        message, descriptors = await super().receive()
        self._step("received", message)
        return message, descriptors

    def _step(self, when: str, message: Message) -> None:
        if (when, type(message).__name__) == (WHEN, NAME):
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    vars(process)["Line"] = MortalLine
    sys.exit(main())
