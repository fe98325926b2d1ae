"""Send notifications to Slack, Teams, webhooks, e-mail and more with the Apprise library."""

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

    Apprise blocks, and a receiver that answers byte by byte can block it for ever. So each
    message has a daemon thread, which delays neither the rollout nor the end of the process;
    while one is stuck, no other is started.
    """

    def __init__(self, name: str, receiver: Any) -> None:
        self.name = name
        self._receiver = receiver
        self._thread: threading.Thread | None = None

    async def send(self, message: Message) -> None:
        """Send a message; raises `NotificationFault`."""
        if self._thread is not None and self._thread.is_alive():
            raise NotificationFault("it has not answered the message before yet")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str | None] = loop.create_future()

        def settle(fault: str | None) -> None:
            if not answer.done():
                answer.set_result(fault)

        def send_in_thread() -> None:
            fault = self._send_blocking(message)
            try:
                loop.call_soon_threadsafe(settle, fault)
            except RuntimeError:
                pass  # the loop has ended, so nothing waits for it

        self._thread = threading.Thread(target=send_in_thread, name="notify", daemon=True)
        self._thread.start()
        fault = await answer
        if fault is not None:
            raise NotificationFault(fault)

    def _send_blocking(self, message: Message) -> str | None:
        kinds = {None: "info", True: "success", False: "failure"}
        with _CollectWarnings() as warnings:
            try:
                accepted = self._receiver.notify(
                    title=message.title, body=message.body, notify_type=kinds[message.good]
                )
            except Exception as fault:
                return f"{type(fault).__name__}: {fault}"
        return None if accepted else "; ".join(warnings.lines) or "it was not accepted"


class BrokenNotifier:
    """A receiver that cannot be used: each message fails with the reason; deploys go on."""

    def __init__(self, name: str, fault: str) -> None:
        self.name = name
        self._fault = fault

    async def send(self, message: Message) -> None:
        """Raise `NotificationFault`."""
        del message
        raise NotificationFault(self._fault)


def open_notifiers(urls: Sequence[str], environ: Mapping[str, str]) -> list[Notifier]:
    """Return the receivers; one that cannot be made is a `BrokenNotifier`."""
    return [_open(url, environ) for url in urls]


def _open(url: str, environ: Mapping[str, str]) -> Notifier:
    scheme = url.partition(":")[0]
    missing = [name for name in _VARIABLE.findall(url) if not environ.get(name)]
    if missing:
        return BrokenNotifier(scheme, f"the environment variable {', '.join(missing)} is not set")
    whole = _VARIABLE.sub(lambda match: environ[match[1]], url)
    with _CollectWarnings():
        receiver = apprise.Apprise.instantiate(whole)
    if receiver is None:
        return BrokenNotifier(scheme, "not a notification URL, see https://appriseit.com/services/")
    host = getattr(receiver, "host", None)
    return AppriseNotifier(f"{scheme}://{host}" if host else scheme, receiver)


class _CollectWarnings(logging.Handler):
    """Collects what Apprise logs in this thread: the only place where it reports a failure."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self._thread_id = threading.get_ident()
        self._logger = logging.getLogger("apprise")

    def __enter__(self) -> "_CollectWarnings":
        self._logger.propagate = False
        self._logger.addHandler(self)
        return self

    def __exit__(self, *fault: object) -> None:
        self._logger.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Add a line."""
        if record.thread == self._thread_id:
            self.lines.append(record.getMessage())
