"""Faults, misfits and deploys in a random combination that one seed names."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from websockets.exceptions import WebSocketException

from tests.chaos.faults import FAULTS
from tests.chaos.installation import Installation
from tests.chaos.misfits import MISFITS, Door, find_log_faults
from tests.chaos.ordeal import SMALL, Verdict, live_through

DEPLOY = "deploy"
PEACEFUL_ENDS = ("promoted", "rolled_back", "refused")
_MISFIT_SECONDS = 15.0


@dataclass(frozen=True)
class Strike:
    """One thing that happens, so many seconds after the first."""

    at_seconds: float
    name: str


@dataclass(frozen=True)
class CombinedVerdict:
    """What a combination found."""

    seed: int
    strikes: Sequence[Strike]
    verdict: Verdict
    log_faults: Sequence[str]
    deploys: Sequence[str]
    """How each deploy ended."""

    @property
    def broken(self) -> list[str]:
        """Every promise that was broken."""
        counts = [f"{name}: {count}" for name, count in self.verdict.broken.items()]
        unpeaceful = [f"deploy: {end}" for end in self.deploys if end not in PEACEFUL_ENDS]
        return [*counts, *self.log_faults, *unpeaceful]

    def describe(self) -> str:
        """Describe what happened, with the seed that repeats it."""
        strikes = ", ".join(f"{s.name} at {s.at_seconds:.1f}" for s in self.strikes)
        ends = f"; deploys: {', '.join(self.deploys)}" if self.deploys else ""
        return f"seed {self.seed}: {strikes}{ends}: {self.broken or 'nothing broken'}"


def draw_strikes(seed: int, count: int, *, within_seconds: float) -> list[Strike]:
    """Draw what happens and when; the same seed draws the same."""
    rng = random.Random(seed)
    # At most one deploy at a time: a second engine is refused, which is another test's matter.
    names = [*FAULTS, *MISFITS]
    drawn = rng.choices(names, k=count)
    if rng.random() < 0.5:
        drawn[0] = DEPLOY
    strikes = [Strike(rng.uniform(0, within_seconds), name) for name in drawn]
    return sorted(strikes, key=lambda strike: strike.at_seconds)


async def live_through_combination(
    installation: Installation, seed: int, *, count: int = 4, within_seconds: float = 3.0
) -> CombinedVerdict:
    """Run what `seed` draws under live users, and judge."""
    strikes = draw_strikes(seed, count, within_seconds=within_seconds)
    runner = _Runner(installation, seed)

    async def trouble(sessions: Sequence[str]) -> None:
        await asyncio.gather(*(runner.strike(strike, sessions) for strike in strikes))
        await installation.repair()
        await installation.wait_until_whole()

    verdict = await live_through(installation.url, trouble, SMALL)
    sessions = {timeline.session_id for timeline in verdict.result.timelines}
    log_faults = [
        log_fault
        for session in sessions
        for log_fault in await find_log_faults(Door(installation.url, session))
    ]
    return CombinedVerdict(seed, strikes, verdict, log_faults, runner.deploys)


class _Runner:
    def __init__(self, installation: Installation, seed: int) -> None:
        self._installation = installation
        self._seed = seed
        self._rng = random.Random(f"misfits {seed}")
        self.deploys: list[str] = []

    async def strike(self, strike: Strike, sessions: Sequence[str]) -> None:
        """Wait for a strike's time, and do it."""
        await asyncio.sleep(strike.at_seconds)
        if strike.name == DEPLOY:
            await self._deploy()
        elif strike.name in FAULTS:
            await FAULTS[strike.name](self._installation)
        else:
            door = Door(self._installation.url, self._rng.choice(sessions))
            # The faults around it may cut, refuse or delay it, which is no fault of the others.
            with suppress(WebSocketException, OSError, TimeoutError):
                async with asyncio.timeout(_MISFIT_SECONDS):
                    await MISFITS[strike.name](door, self._rng)

    async def _deploy(self) -> None:
        engine = await self._installation.start_deploy(f"v-seed-{self._seed}")
        self.deploys.append(await engine.outcome())
