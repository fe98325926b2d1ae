"""Slack, Teams, webhooks, e-mail and a hundred more, through the Apprise library."""

import asyncio
import logging
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import apprise

from isshoni.engine.notifications import Message, NotificationFault, Notifier

_VARIABLE = re.compile(r"\$\{(\w+)\}")


class AppriseNotifier:
    """A receiver named by an Apprise URL.

    Apprise blocks, and a receiver that answers drop by drop can hold it for ever. So
    each message has a daemon thread, which holds up neither us nor our end; and while
    one is stuck, no other is begun.
    """

    def __init__(self, name: str, receiver: Any) -> None:
        self.name = name
        self._receiver = receiver
        self._thread: threading.Thread | None = None

    async def send(self, message: Message) -> None:
        """Send a message; raises `NotificationFault`."""
        if self._thread is not None and self._thread.is_alive():
            raise NotificationFault("it still hangs on the message before")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str | None] = loop.create_future()

        def settle(fault: str | None) -> None:
            if not answer.done():
                answer.set_result(fault)

        def tell() -> None:
            fault = self._tell(message)
            try:
                loop.call_soon_threadsafe(settle, fault)
            except RuntimeError:
                pass  # the loop has ended, so nothing waits for it

        self._thread = threading.Thread(target=tell, name="notify", daemon=True)
        self._thread.start()
        fault = await answer
        if fault is not None:
            raise NotificationFault(fault)

    def _tell(self, message: Message) -> str | None:
        kinds = {None: "info", True: "success", False: "failure"}
        with _HearWarnings() as heard:
            try:
                taken = self._receiver.notify(
                    title=message.title, body=message.body, notify_type=kinds[message.good]
                )
            except Exception as fault:
                return f"{type(fault).__name__}: {fault}"
        return None if taken else "; ".join(heard.lines) or "it was not taken"


class BrokenNotifier:
    """A receiver that cannot be used: it says why, each time, instead of stopping a deploy."""

    def __init__(self, name: str, fault: str) -> None:
        self.name = name
        self._fault = fault

    async def send(self, message: Message) -> None:
        """Raise `NotificationFault`."""
        del message
        raise NotificationFault(self._fault)


def open_notifiers(urls: Sequence[str], environ: Mapping[str, str]) -> list[Notifier]:
    """Make the receivers; one that cannot be made is a `BrokenNotifier`."""
    return [_open(url, environ) for url in urls]


def _open(url: str, environ: Mapping[str, str]) -> Notifier:
    scheme = url.partition(":")[0]
    missing = [name for name in _VARIABLE.findall(url) if not environ.get(name)]
    if missing:
        return BrokenNotifier(scheme, f"the environment variable {', '.join(missing)} is not set")
    whole = _VARIABLE.sub(lambda match: environ[match[1]], url)
    with _HearWarnings():
        receiver = apprise.Apprise.instantiate(whole)
    if receiver is None:
        return BrokenNotifier(scheme, "not a notification URL, see https://appriseit.com/services/")
    host = getattr(receiver, "host", None)
    return AppriseNotifier(f"{scheme}://{host}" if host else scheme, receiver)


class _HearWarnings(logging.Handler):
    """Keeps what Apprise logs in this thread, which is where it says what failed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self._thread_id = threading.get_ident()
        self._logger = logging.getLogger("apprise")

    def __enter__(self) -> "_HearWarnings":
        self._logger.propagate = False
        self._logger.addHandler(self)
        return self

    def __exit__(self, *fault: object) -> None:
        self._logger.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Add a line."""
        if record.thread == self._thread_id:
            self.lines.append(record.getMessage())
