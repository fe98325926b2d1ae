"""`isshoni notify`: does the team hear us?"""

import asyncio

from isshoni.cli.context import find_notifiers, read_config, run
from isshoni.cli.output import console
from isshoni.engine.notifications import (
    Message,
    NotificationFault,
    NotificationSettings,
    Notifier,
)
from isshoni.errors import ExitCode

MESSAGE = Message("start", "Isshoni can reach you", "A test; nothing is being deployed.")


def notify() -> None:
    """Send a test message to every one of `[notifications] urls` of the configuration.

    Exit codes: 0 all took it, 3 there are none, 4 one did not take it, with the reason.
    """
    settings = read_config().notifications
    notifiers = find_notifiers(settings.urls)
    if not notifiers:
        fault = "no message was sent: the configuration has no `urls` under `[notifications]`"
        console.print(fault, markup=False)
        raise SystemExit(ExitCode.CONFIG)
    raise SystemExit(ExitCode.OK if run(_tell_all(notifiers, settings)) else ExitCode.ENVIRONMENT)


async def _tell_all(notifiers: list[Notifier], settings: NotificationSettings) -> bool:
    told = await asyncio.gather(*(_tell(n, settings.timeout_seconds) for n in notifiers))
    return all(told)


async def _tell(notifier: Notifier, timeout_seconds: float) -> bool:
    try:
        async with asyncio.timeout(timeout_seconds):
            await notifier.send(MESSAGE)
    except (NotificationFault, TimeoutError) as fault:
        why = str(fault) or f"no answer within {timeout_seconds:g} s"
        console.print(f"[bold red]✗[/] {notifier.name}: ", end="")
        console.print(why, markup=False)
        return False
    console.print(f"[green]✓[/] {notifier.name}")
    return True
