"""The fake of `Notifier`: it remembers, and fails or hangs on demand."""

import asyncio

from isshoni.engine.notifications import Message, NotificationFault


class MemoryNotifier:
    """A receiver in this process."""

    name = "memory"

    def __init__(self, fault: str | None = None, *, hangs: bool = False) -> None:
        self.told: list[Message] = []
        self._fault = fault
        self._hangs = hangs

    async def send(self, message: Message) -> None:
        if self._hangs:
            await asyncio.Event().wait()
        if self._fault is not None:
            raise NotificationFault(self._fault)
        self.told.append(message)
