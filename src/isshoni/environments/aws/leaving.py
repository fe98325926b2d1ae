"""Empty instances that their group is about to end: no session is cut by a scale-in."""

import asyncio
from collections.abc import Mapping, Sequence

from isshoni.engine.environment import Clock
from isshoni.engine.processes import LOOK_SECONDS, PacedMove
from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.backends import InstanceBackends
from isshoni.environments.aws.errors import AwsFault
from isshoni.environments.aws.groups import Group, Groups, Instance
from isshoni.environments.aws.outputs import Outputs
from isshoni.environments.aws.tasks import EcsTasks
from isshoni.environments.backend_api import HttpBackends
from isshoni.environments.joined_status import describe_process
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import COLOURS, Colour, ProcessStatus, other
from isshoni.rollout.plan import RolloutPlan

HOOK = "evacuate"
"""The lifecycle hook that Terraform creates."""
_WAITS = "Terminating:Wait"
_EVACUATE_SECONDS = 600.0
"""Less than the hook's timeout, after which the instance ends with what is still on it."""
_DRAIN_SECONDS = 80.0
"""More than the stop timeout of the container."""


class LeavingInstances:
    """Moves the sessions of leaving instances to the others of their slot, then lets them end."""

    def __init__(
        self,
        api: AwsApi,
        outputs: Outputs,
        *,
        groups: Groups,
        backends: InstanceBackends,
        clock: Clock,
        evacuate_seconds: float = _EVACUATE_SECONDS,
    ) -> None:
        self._api = api
        self._names = outputs.autoscaling_group_names
        self._groups = groups
        self._backends = backends
        self._tasks = EcsTasks(api, outputs)
        self._clock = clock
        self._seconds = evacuate_seconds

    async def find(self) -> Sequence[str]:
        """Return the names of the instances that are about to end, like `blue i-0a1b`."""
        groups = await self._groups.observe()
        return [f"{c} {instance.id}" for c in COLOURS for instance in groups[c].leaving]

    async def evacuate(self, plan: RolloutPlan) -> Sequence[str]:
        """Empty all of them and let them end; return what was done, a line each.

        A fault of one leaves the others as they are; the next call tries it again.
        """
        groups = await self._groups.observe()
        work = [
            self._end(colour, instance, plan)
            for colour in COLOURS
            for instance in groups[colour].leaving
        ]
        return await asyncio.gather(*work)

    async def _end(self, colour: Colour, instance: Instance, plan: RolloutPlan) -> str:
        name = f"{colour} {instance.id}"
        try:
            result = await self._empty(colour, instance, plan)
            await self._stop(colour, instance)
            return f"{name}: {result}; {await self._complete(colour, instance)}"
        except EnvironmentFault as fault:
            return f"{name}: {fault}"

    async def _empty(self, colour: Colour, instance: Instance, plan: RolloutPlan) -> str:
        """Move its sessions until it has none; return the outcome in words."""
        backend = self._backends.connect(colour, instance)
        move = PacedMove(_Mover(backend, colour), self._clock, plan, instance.id)
        until = self._clock.now() + self._seconds
        before: int | None = None
        while self._clock.now() < until:
            status = await backend.status(colour)
            mine = describe_process(instance.id, status)
            if status is not None and status.connections == 0:
                return f"{before or 0} connections moved"
            if status is not None:
                before = status.connections if before is None else before
            to, takers = self._find_takers(colour, await self._groups.observe(), await self._ask())
            if takers or status is None:
                # Also without an answer: it raises once that has lasted too long.
                await move.step(mine, takers, to, 100.0)
            await self._clock.sleep(LOOK_SECONDS)
        return f"not empty after {self._seconds:g} s: its program drains what is left"

    async def _ask(self) -> Mapping[Colour, Sequence[ProcessStatus]]:
        found = await asyncio.gather(*(self._backends.status(colour) for colour in COLOURS))
        return {
            c: status.processes if status else () for c, status in zip(COLOURS, found, strict=True)
        }

    @staticmethod
    def _find_takers(
        colour: Colour,
        groups: Mapping[Colour, Group],
        asked: Mapping[Colour, Sequence[ProcessStatus]],
    ) -> tuple[Colour, Sequence[ProcessStatus]]:
        """Return where the sessions go: its own slot, or the other one if that is alone."""
        for to in (colour, other(colour)):
            serving = {instance.id for instance in groups[to].serving}
            if ready := [each for each in asked[to] if each.ready and each.name in serving]:
                return to, ready
        return colour, ()

    async def _stop(self, colour: Colour, instance: Instance) -> None:
        """Have ECS stop its task; return once the program has ended, or should have."""
        await self._tasks.drain(colour, instance.id)
        backend = self._backends.connect(colour, instance)
        until = self._clock.now() + _DRAIN_SECONDS
        while self._clock.now() < until and await backend.status(colour) is not None:
            await self._clock.sleep(LOOK_SECONDS)

    async def _complete(self, colour: Colour, instance: Instance) -> str:
        """Let the group end it, if the group waits for that already."""
        self._groups.forget()
        now = {each.id: each for each in (await self._groups.observe())[colour].instances}
        state = now[instance.id].state if instance.id in now else None
        if state != _WAITS:
            return "it is gone" if state is None else f"it is {state} and ends with the next call"
        try:
            await self._api.call(
                "autoscaling",
                "complete_lifecycle_action",
                AutoScalingGroupName=self._names.of(colour),
                LifecycleHookName=HOOK,
                InstanceId=instance.id,
                LifecycleActionResult="CONTINUE",
            )
        except AwsFault as fault:
            if fault.code != "ValidationError":  # another call has completed it
                raise
        self._groups.forget()
        return "it ends"


class _Mover:
    """Sends the orders of a move to one instance."""

    def __init__(self, backend: HttpBackends, colour: Colour) -> None:
        self._backend, self._colour = backend, colour

    async def move(
        self,
        name: str,
        to: str,
        *,
        rate_per_second: float,
        within_seconds: float,
        share_pct: float = 100.0,
    ) -> None:
        """Start moving a share of its sessions to a colour."""
        await self._backend.migrate(
            self._colour,
            to,
            rate_per_second=rate_per_second,
            within_seconds=within_seconds,
            share_pct=share_pct,
        )
