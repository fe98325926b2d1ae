"""A machine whose clock is set, an hour back and two hours on, in the middle of a deploy."""

import asyncio

from tests.chaos.installation import Installation

_HOUR_SECONDS = 3600.0
_STEP_SECONDS = 1.0


async def step_the_clock(installation: Installation) -> None:
    """Set the clock back and forth while a deploy runs, and start a second one beside it.

    The second engine must be refused: the first one lives, whatever the clock says. `clock_shim`
    sets the clocks of the Python processes only; Redis and the load balancer keep theirs.
    """
    installation.bake_for(5.0)  # it must still run when the second engine comes
    first = await installation.start_deploy("v-clock")
    await _wait_for_candidate(installation)
    for offset_seconds in (-_HOUR_SECONDS, 2 * _HOUR_SECONDS):
        installation.set_clock(offset_seconds)
        await asyncio.sleep(_STEP_SECONDS)
        second = await (await installation.start_deploy("v-second")).outcome()
        assert "is held by" in second, second
    outcome = await first.outcome()
    installation.set_clock(0.0)
    assert outcome == "promoted", f"{outcome}\n{installation.logs()}"


async def _wait_for_candidate(installation: Installation) -> None:
    async with asyncio.timeout(30):
        while installation.pid(installation.candidate()) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
