"""`isshoni notify`: send a test notification."""

import asyncio

from isshoni.cli.context import DryRunFlag, JsonFlag, find_notifiers, read_config, run
from isshoni.cli.output import console, print_forecast, print_json, progress, styled
from isshoni.engine.notifications import (
    Message,
    NotificationFault,
    NotificationSettings,
    Notifier,
)
from isshoni.errors import ExitCode

MESSAGE = Message("start", "Isshoni can reach you", "This is a test; nothing is being deployed.")


def notify(dry_run: DryRunFlag = False, json: JsonFlag = False) -> None:
    """Send a test message to each of the `[notifications] urls` of the configuration.

        isshoni notify
        isshoni notify --dry-run   # only list them

    Exit codes: 0 all accepted it, 3 no `urls` are configured, 4 one did not accept it.
    """
    settings = read_config().notifications
    notifiers = find_notifiers(settings.urls)
    if not notifiers:
        fault = "no message was sent: the configuration has no `urls` under `[notifications]`"
        progress.print(fault)
        raise SystemExit(ExitCode.CONFIG)
    names = [notifier.name for notifier in notifiers]
    if dry_run:
        print_forecast(f"would send a test message to: {', '.join(names)}", json=json, to=names)
        return
    faults = run(_send_to_all(notifiers, settings))
    results = list(zip(names, faults, strict=True))
    if json:
        print_json([{"to": name, "fault": fault} for name, fault in results])
    else:
        for name, failure in results:
            mark = ("✗", "bold red") if failure else ("✓", "green")
            console.print(styled(mark, f" {name}: {failure}" if failure else f" {name}"))
    raise SystemExit(ExitCode.ENVIRONMENT if any(faults) else ExitCode.OK)


async def _send_to_all(
    notifiers: list[Notifier], settings: NotificationSettings
) -> list[str | None]:
    return await asyncio.gather(*(_send(n, settings.timeout_seconds) for n in notifiers))


async def _send(notifier: Notifier, timeout_seconds: float) -> str | None:
    """Send the message; return what went wrong, or None."""
    try:
        async with asyncio.timeout(timeout_seconds):
            await notifier.send(MESSAGE)
    except (NotificationFault, TimeoutError) as fault:
        return str(fault) or f"no answer within {timeout_seconds:g} s"
    return None
