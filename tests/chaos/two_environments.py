"""Two environments on one Redis server, in two databases, with sessions of the same names."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from tests.chaos.faults import FAULTS
from tests.chaos.installation import Installation, installed
from tests.chaos.ordeal import SMALL, Trouble, Verdict, live_through

SHARED_FAULTS = ("cut_subscriptions", "kill_redis")
"""Strike both environments, one after the other."""


@asynccontextmanager
async def two_installed() -> AsyncIterator[tuple[Installation, Installation]]:
    """Bring two installations up: the second uses the first one's Redis."""
    async with installed() as first, installed(beside=first) as second:
        yield first, second


async def live_through_both(first: Installation, second: Installation) -> Sequence[Verdict]:
    """Let both be used in the same sessions while their Redis fails; judge each by itself."""
    sessions = secrets.token_hex(4)
    both_talk = asyncio.Barrier(2)
    healed = asyncio.Event()

    async def strike(_: Sequence[str]) -> None:
        await both_talk.wait()
        for name in SHARED_FAULTS:
            await FAULTS[name](first)
        for installation in (first, second):
            await installation.wait_until_whole()
        healed.set()

    async def wait(_: Sequence[str]) -> None:
        await both_talk.wait()
        await healed.wait()

    async def use(installation: Installation, trouble: Trouble, seed: int) -> Verdict:
        users = replace(SMALL, seed=seed)  # other words in each
        return await live_through(installation.url, trouble, users, sessions=sessions)

    async with asyncio.timeout(120):
        verdicts = await asyncio.gather(use(first, strike, 1), use(second, wait, 2))
    return [_count_foreign(verdict) for verdict in verdicts]


def _count_foreign(verdict: Verdict) -> Verdict:
    """Return a verdict that also counts what the users of the other environment wrote."""
    result = verdict.result
    foreign = result.messages.foreign + result.edits.foreign
    return replace(verdict, faults={**verdict.faults, "of the other environment": foreign})
