"""Refuse a command that needs a running environment where none of it is meant to run."""

from isshoni.cli.context import Context, run
from isshoni.cli.errors import EnvironmentStopped
from isshoni.rollout.errors import EnvironmentFault


def refuse_stopped(context: Context) -> None:
    """Raise `EnvironmentStopped` after `isshoni down`: the command could only wait in vain.

    Not if a part of it has failed: that may come back while the command works.
    """
    if run(_is_stopped(context)):
        raise EnvironmentStopped(context.place.public_url)


async def _is_stopped(context: Context) -> bool:
    if await context.place.is_up():
        return False
    try:
        slots = await context.engine.environment.compute.observe_slots()
    except EnvironmentFault:
        return False
    return all(slot.release is None and not slot.running for slot in slots.values())
