"""`isshoni notify`: send a test notification."""

import asyncio

from isshoni.cli.context import find_notifiers, read_config, run
from isshoni.cli.output import console, styled
from isshoni.engine.notifications import (
    Message,
    NotificationFault,
    NotificationSettings,
    Notifier,
)
from isshoni.errors import ExitCode

MESSAGE = Message("start", "Isshoni can reach you", "This is a test; nothing is being deployed.")


def notify() -> None:
    """Send a test message to each of the `[notifications] urls` of the configuration.

    Exit codes: 0 all accepted it, 3 no `urls` are configured, 4 one did not accept it.
    """
    settings = read_config().notifications
    notifiers = find_notifiers(settings.urls)
    if not notifiers:
        fault = "no message was sent: the configuration has no `urls` under `[notifications]`"
        console.print(fault)
        raise SystemExit(ExitCode.CONFIG)
    raise SystemExit(
        ExitCode.OK if run(_send_to_all(notifiers, settings)) else ExitCode.ENVIRONMENT
    )


async def _send_to_all(notifiers: list[Notifier], settings: NotificationSettings) -> bool:
    sent = await asyncio.gather(*(_send(n, settings.timeout_seconds) for n in notifiers))
    return all(sent)


async def _send(notifier: Notifier, timeout_seconds: float) -> bool:
    try:
        async with asyncio.timeout(timeout_seconds):
            await notifier.send(MESSAGE)
    except (NotificationFault, TimeoutError) as fault:
        why = str(fault) or f"no answer within {timeout_seconds:g} s"
        console.print(styled(("✗", "bold red"), f" {notifier.name}: {why}"))
        return False
    console.print(styled(("✓", "green"), f" {notifier.name}"))
    return True
