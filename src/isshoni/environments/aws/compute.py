"""The port `Compute` with Auto Scaling groups that Terraform creates and destroys."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from isshoni.environments.aws.cloudwatch_logs import CloudWatchLogs
from isshoni.environments.aws.errors import ForeignChanges
from isshoni.environments.aws.groups import Group, Groups
from isshoni.environments.aws.preview import preview_slot
from isshoni.environments.aws.remembered import Look, changing
from isshoni.environments.aws.state_locks import StateLocks
from isshoni.environments.aws.targets import Targets
from isshoni.environments.aws.terraform import Terraform, as_variable
from isshoni.environments.aws.terraform_plan import list_foreign
from isshoni.environments.errors import ReleaseFault
from isshoni.environments.place import Preview
from isshoni.environments.progress import ReportStep
from isshoni.environments.waiting import wait_until
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import COLOURS, Colour, Release, SlotState, other

IMAGE_VERSION = "image_version"
"""The Terraform variable with the image version of a slot; empty: it has no machines."""
SLOT = "target_group"
"""The Terraform variable with the slot; its folder refuses every other one."""
DRAINED = "drained"
"""The Terraform variable without which running machines are not stopped."""
INSTANCES = "instances"
"""The Terraform variable with the number of machines that a version starts with."""


class AwsCompute:
    """Starts a slot by setting its image version, and stops it by removing that."""

    def __init__(
        self,
        *,
        terraform: Mapping[Colour, Terraform],
        groups: Groups,
        targets: Targets,
        locks: StateLocks,
        logs: CloudWatchLogs,
        folder: Path,
        empty_seconds: float,
        say: ReportStep,
        prices: Mapping[str, float],
        check_rules: Callable[[], Awaitable[None]],
        looks: Sequence[Look],
    ) -> None:
        """Create it, with the Terraform of each slot.

        `looks` read again when a slot has started or stopped.
        """
        self._terraform = terraform
        self._groups = groups
        self._targets = targets
        self._locks = locks
        self._logs = logs
        self._folder = folder
        self._empty_seconds = empty_seconds
        self._say = say
        self._prices = prices
        self._check_rules = check_rules
        self._looks: tuple[Look, ...] = (groups, targets, locks, *looks)

    async def resolve(self, release: Release) -> Release:
        """Return `release` unchanged: image tags are immutable, so its tag is its content."""
        return release

    async def prepare(self, release: Release) -> None:
        """Check the release and initialise Terraform; raises `ReleaseFault`. Idempotent."""
        check_release(release)
        for colour in COLOURS:
            await self._terraform[colour].init()
        await self._check_rules()

    async def start(self, colour: Colour, release: Release) -> None:
        """Start the machines of a slot with the image of `release`. Idempotent."""
        check_release(release)
        live = (await self._groups.observe())[other(colour)].wanted
        with changing(*self._looks):
            # While a rollout lasts, neither slot shrinks: one waits for its users, the other may
            # get them back. `stop` ends that, and Terraform begins it for a new group.
            await self._groups.protect(other(colour), True)
            async with self._plan(colour, release.label, live) as plan:
                await plan.apply()
            if live == 0:
                await self._groups.protect(colour, False)

    async def preview(self, colour: Colour, release: Release) -> Preview:
        """Return what `start` would change, and its cost; change nothing."""
        check_release(release)
        live = (await self._groups.observe())[other(colour)].wanted
        self._say(f"terraform plan, {colour}")
        variables = _list_variables(colour, release.label, live)
        return await preview_slot(self._terraform[colour], variables, self._prices)

    async def stop(self, colour: Colour) -> None:
        """Deregister a slot from the balancer, then remove its machines. Idempotent.

        A slot without machines may still be changed by the Terraform of an engine that died: then
        it waits for that one's lock, and removes what it made.

        Stopping a machine sends SIGTERM to its program, which then drains. A plan that is
        refused leaves the slot registered.
        """
        self._groups.forget()
        self._locks.forget()
        await self._groups.protect(other(colour), False)
        if await self._is_empty(colour) and await self._locks.find(colour) is None:
            return
        with changing(*self._looks):
            async with self._plan(colour, "") as plan:
                await self._targets.deregister(colour)
                await plan.apply()
            await self._wait_until_empty(colour)

    @asynccontextmanager
    async def _plan(
        self, colour: Colour, version: str, instances: int = 0
    ) -> AsyncIterator["_Plan"]:
        """Plan a slot with this version, "" for none; raises `ForeignChanges`."""
        terraform = self._terraform[colour]
        given = _list_variables(colour, version, instances)
        await self._report_lock(colour)
        with tempfile.TemporaryDirectory(prefix="isshoni-plan-") as folder:
            file = Path(folder) / "plan"  # it may contain secrets: only this user may read it
            changes = await terraform.plan(given, file)
            if foreign := list_foreign(changes):
                raise ForeignChanges(colour, [str(c) for c in foreign], str(self._folder / colour))
            self._say(f"terraform, {colour}: " + (", ".join(map(str, changes)) or "no changes"))
            yield _Plan(terraform, file, bool(changes))

    async def _report_lock(self, colour: Colour) -> None:
        """Report who holds the lock that a plan is about to wait for."""
        self._locks.forget()
        if lock := await self._locks.find(colour):
            unlock = self._locks.describe_unlock(colour, lock)
            self._say(f"waiting: the state of {colour} {lock.describe()}; {unlock}")

    async def _wait_until_empty(self, colour: Colour) -> None:
        if await wait_until(lambda: self._is_empty(colour), self._empty_seconds):
            return
        left = (await self._groups.observe())[colour].instances
        names = ", ".join(instance.id for instance in left)
        raise EnvironmentFault(
            f"{colour} still has {names} after {self._empty_seconds:g} s: check its Auto "
            "Scaling group, or raise `empty_seconds`"
        )

    async def _is_empty(self, colour: Colour) -> bool:
        group = (await self._groups.observe())[colour]
        return group.wanted == 0 and not group.instances

    async def observe_slots(self) -> Mapping[Colour, SlotState]:
        """Return the state of both slots, from their groups and the locks of their states."""
        slots = {c: _as_slot(group) for c, group in (await self._groups.observe()).items()}
        # Terraform outlives an engine that is killed, and may yet fill a slot that looks empty.
        empty = [c for c in COLOURS if slots[c].release is None and not slots[c].running]
        locks = await asyncio.gather(*(self._locks.find(colour) for colour in empty))
        changing = {
            c: replace(slots[c], changing=True) for c, it in zip(empty, locks, strict=True) if it
        }
        return slots | changing

    async def tail_log(self, colour: Colour, lines: int) -> list[str]:
        """Return the last lines of a slot's log, oldest first."""
        return await self._logs.tail(colour, lines)


@dataclass(frozen=True)
class _Plan:
    """A plan of one slot that may be applied."""

    terraform: Terraform
    file: Path
    has_changes: bool

    async def apply(self) -> None:
        """Apply it, if it would change anything."""
        if self.has_changes:
            await self.terraform.apply(self.file)


def _list_variables(colour: Colour, version: str, instances: int) -> dict[str, str]:
    return {
        SLOT: colour,
        IMAGE_VERSION: version,
        DRAINED: as_variable(not version),
        INSTANCES: as_variable(instances),
    }


def _as_slot(group: Group) -> SlotState:
    return SlotState(
        release=Release(group.version) if group.version is not None else None,
        running=bool(group.instances),
        restarts=group.tasks.restarts,
        last_exit=group.tasks.last_exit or group.tasks.unplaced or group.fault,
        start_fault=group.tasks.unplaced or group.fault,
    )


def check_release(release: Release) -> None:
    """Raise `ReleaseFault` unless the release is only an image tag."""
    if release.source is not None:
        raise ReleaseFault(
            f"on AWS a version is a tag of the container image: {release.source} cannot be "
            "installed there. Build and push an image, then deploy its tag (docs/aws.md)"
        )
    if release != Release(release.label):
        raise ReleaseFault(
            "on AWS the image defines the program and Terraform the path of the health check: "
            "`command`, `processes`, `cwd` and `ready_path` are for local environments only"
        )
