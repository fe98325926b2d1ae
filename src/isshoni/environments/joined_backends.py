"""Send the engine's orders to every process of a slot."""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence

from isshoni.environments.backend_api import HttpBackends
from isshoni.environments.joined_status import join_proofs
from isshoni.rollout.model import BackendStatus, Colour, Proof

Processes = Mapping[str, HttpBackends]
"""The admin ports of a slot's processes, or instances, by name."""


async def ask_all(processes: Processes, colour: Colour) -> dict[str, BackendStatus | None]:
    """Return the status of each process; None for one that does not answer."""
    found = await asyncio.gather(*(each.status(colour) for each in processes.values()))
    return dict(zip(processes, found, strict=True))


async def prove_all(processes: Processes, colour: Colour, session_ids: Sequence[str]) -> Proof:
    """Ask every process for its proof; return one that fails, if any, with its name."""
    asked = (each.prove(colour, session_ids) for each in processes.values())
    return join_proofs(dict(zip(processes, await asyncio.gather(*asked), strict=True)))


async def migrate_all(
    processes: Processes,
    colour: Colour,
    to: str,
    *,
    rate_per_second: float,
    within_seconds: float,
    share_pct: float,
    close_over_seconds: float = 0.0,
) -> None:
    """Request every process to move a share of its sessions to a colour or a process.

    Together they keep to the rate.
    The share is decided by the session's id, so all processes move the same sessions.
    """
    await run_all(
        each.migrate(
            colour,
            to,
            rate_per_second=rate_per_second / len(processes),
            within_seconds=within_seconds,
            share_pct=share_pct,
            close_over_seconds=close_over_seconds,
        )
        for each in processes.values()
    )


async def cancel_all(processes: Processes, colour: Colour) -> None:
    """Request every process to stop moving sessions."""
    await run_all(each.cancel_migration(colour) for each in processes.values())


async def run_all(orders: Iterable[Coroutine[None, None, None]]) -> None:
    """Send every request, even if one fails; then raise the first fault."""
    results = await asyncio.gather(*orders, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
