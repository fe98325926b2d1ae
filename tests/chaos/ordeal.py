"""Live users through trouble, and the ledger of `verify` as the judge."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from isshoni.verify.assemble import assemble_result
from isshoni.verify.crowd import Crowd
from isshoni.verify.readers import read_final_state
from isshoni.verify.result import Result
from isshoni.verify.settings import RunSettings
from isshoni.verify.users import Books, Habits

Trouble = Callable[[Sequence[str]], Awaitable[None]]
"""What happens while users talk; it gets the ids of their sessions."""

SMALL = RunSettings(
    clients=8,
    sessions=2,
    quiet_seconds=0.6,
    habits=Habits(messages_per_second=8.0, edits_per_second=4.0),
    settle_seconds=45.0,
    join_seconds=30.0,
)


@dataclass(frozen=True)
class Verdict:
    """What a run found; each of `faults` must be zero."""

    faults: dict[str, int]
    result: Result

    @property
    def broken(self) -> dict[str, int]:
        """Name the promises that were broken, and how often."""
        return {name: count for name, count in self.faults.items() if count}


async def live_through(
    url: str, trouble: Trouble, settings: RunSettings = SMALL, *, sessions: str | None = None
) -> Verdict:
    """Let users talk and draw before, during and after `trouble`; then judge.

    `sessions` names their sessions; by default they are new ones.
    """
    books = Books()
    crowd = Crowd(url, settings, books, sessions=sessions)
    try:
        await crowd.connect()
        crowd.start_talking()
        await asyncio.sleep(settings.quiet_seconds)
        await trouble(crowd.sessions)
        await asyncio.sleep(settings.quiet_seconds)
        await crowd.stop_talking()
        await crowd.settle()
        ended_at = books.clock.now()
        await read_final_state(url, crowd, books)
    finally:
        await crowd.leave()
    result = assemble_result(
        url=url,
        settings=settings,
        books=books,
        users=crowd.users,
        probes=(),
        deploys=(),
        ended_at=ended_at,
    )
    return Verdict(_count_faults(result), result)


def _count_faults(result: Result) -> dict[str, int]:
    """Count every broken promise, what never settled included."""
    messages, edits = result.messages, result.edits
    return {
        "lost": messages.lost,
        "doubled": messages.doubled,
        "reordered": messages.reordered,
        "never acknowledged": messages.sent - messages.acked,
        "edits lost": edits.lost,
        "edits never saved": edits.sent - edits.saved,
        "sessions diverged": edits.diverged_sessions,
        "trouble": len(result.trouble),
    }
