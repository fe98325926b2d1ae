"""The ports through which the command line and the dashboard use an environment."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from isshoni.engine.journal import Journal
from isshoni.engine.notifications import Notifier
from isshoni.engine.processes import Processes
from isshoni.rollout.model import Colour, Relaying, Release, Stable
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.ports import Alarms, Backends, Compute, Probes, Traffic


class Leaving(Protocol):
    """The machines that the environment is about to end by itself, as in a scale-in."""

    async def find(self) -> Sequence[str]:
        """Return their names."""

    async def evacuate(self, plan: RolloutPlan) -> Sequence[str]:
        """Move their sessions away and let them end; return what was done, a line each."""


class EnginePorts(Protocol):
    """The ports that the engine uses, and what it is opened with."""

    @property
    def traffic(self) -> Traffic:
        """The load balancer."""

    @property
    def compute(self) -> Compute:
        """The two slots."""

    @property
    def backends(self) -> Backends:
        """The admin API of the programs on the slots."""

    @property
    def probes(self) -> Probes:
        """Sends synthetic users to a slot."""

    @property
    def processes(self) -> Processes | None:
        """The processes of the slots one by one; None if sessions cannot move between them."""

    @property
    def leaving(self) -> Leaving | None:
        """The machines that are about to end; None if only the engine ends any."""

    @property
    def alarms(self) -> Alarms | None:
        """Alarms of an outside monitor; None if there is no monitor."""

    def open_journal(self) -> Journal:
        """Open the journal; the caller closes it."""

    def find_notifiers(self) -> Sequence[Notifier]:
        """Return the environment's own notifiers, beside those of the configuration."""


class Facts(Protocol):
    """Addresses, secrets and directories that commands, dashboard and clients need."""

    @property
    def state_dir(self) -> Path:
        """The directory of the reports and readings of rollouts that ran on this machine."""

    @property
    def public_url(self) -> str:
        """The URL that users open."""

    @property
    def admin_token(self) -> str:
        """The token for the admin API and for the dashboard's actions."""

    @property
    def relaying(self) -> Relaying | None:
        """How the sockets of programs run by `--command` are relayed; None: they are not."""

    @property
    def token_keys(self) -> str:
        """The keys that sign session tokens, as in `ISSHONI_TOKEN_KEYS`."""

    @property
    def variables(self) -> "Variables | None":
        """Keeps the variables of releases; None if releases cannot have any."""


class Variables(Protocol):
    """The environment variables that releases are deployed with."""

    def describe(self, release: Release, values: Mapping[str, str]) -> Release:
        """Return the release with the names of its variables, and their id."""

    def keep(self, values: Mapping[str, str]) -> None:
        """Store the values of a release's variables. Idempotent."""

    def hold(self, values: Mapping[str, str]) -> None:
        """Remember the values in this process only, for a dry run."""


class Logs(Protocol):
    """The logs of the environment's programs."""

    @property
    def log_names(self) -> Sequence[str]:
        """The programs that have a log."""

    async def tail_log(self, name: str, lines: int) -> list[str]:
        """Return the last lines of a log, oldest first; raises `EnvironmentFault`."""

    def follow_log(self, name: str) -> AsyncIterator[str]:
        """Yield each line of a log as it is written."""


@dataclass(frozen=True)
class Preview:
    """What starting a release on a slot would change, by the tool that would do it."""

    changes: tuple[str, ...]
    """A resource and what happens to it each."""
    cost: str | None = None
    """What that would cost, roughly."""
    fault: str | None = None
    """Why it would not be done."""


class Lifecycle(Protocol):
    """Starting, checking and stopping the environment."""

    async def preview_start(self, colour: Colour, release: Release) -> Preview | None:
        """Return what starting a release would change; None if no tool plans that."""

    def describe_up(self) -> Sequence[str]:
        """Return what `up` would use, one item per line."""

    async def find_troubles(self) -> Sequence[str]:
        """Return what is wrong for users although the environment is up, a line each."""

    async def is_up(self) -> bool:
        """True if it serves users."""

    async def up(self, stable: Stable) -> None:
        """Start or repair what does not run, with `stable` as the serving release. Idempotent."""

    async def down(self) -> None:
        """Stop everything; keep messages and canvases. Idempotent."""

    async def purge(self) -> None:
        """Delete all data of the stopped environment."""


class Place(EnginePorts, Facts, Logs, Lifecycle, Protocol):
    """An environment, local or on AWS, with the ports that the engine uses."""
