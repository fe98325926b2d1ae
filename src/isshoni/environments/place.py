"""What the command line and the dashboard need of a place that is deployed to."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

from isshoni.engine.journal import Journal
from isshoni.engine.notifications import Notifier
from isshoni.rollout.model import Stable
from isshoni.rollout.ports import Alarms, Backends, Compute, Probes, Traffic


class Place(Protocol):
    """An environment and everything around it, local or on AWS."""

    @property
    def traffic(self) -> Traffic:
        """The load balancer."""

    @property
    def compute(self) -> Compute:
        """The two slots."""

    @property
    def backends(self) -> Backends:
        """The programs on the slots."""

    @property
    def probes(self) -> Probes:
        """Synthetic users for a colour."""

    @property
    def alarms(self) -> Alarms | None:
        """What watches from outside; None: nothing does."""

    @property
    def state_dir(self) -> Path:
        """Where this machine keeps reports, and readings of rollouts that it drove."""

    @property
    def public_url(self) -> str:
        """Where people reach it."""

    @property
    def admin_token(self) -> str:
        """What opens the admin API, and the dashboard's buttons."""

    @property
    def token_keys(self) -> str:
        """What session tokens are signed with, as in `ISSHONI_TOKEN_KEYS`."""

    @property
    def log_names(self) -> Sequence[str]:
        """Whose logs there are."""

    def open_journal(self) -> Journal:
        """Open its memory; the caller closes it."""

    def find_notifiers(self) -> Sequence[Notifier]:
        """Give the receivers that it has of its own."""

    def describe_up(self) -> Sequence[str]:
        """Say what `up` would use, a line each."""

    async def find_troubles(self) -> Sequence[str]:
        """Return what is wrong for users although the environment is up, a line each."""

    async def is_up(self) -> bool:
        """Say whether it serves."""

    async def up(self, stable: Stable) -> None:
        """Bring up, or repair, what does not run; `stable` is what people are on. Idempotent."""

    async def down(self) -> None:
        """Take everything down; what people wrote stays. Idempotent."""

    async def purge(self) -> None:
        """Delete everything of what is down."""

    async def tail_log(self, name: str, lines: int) -> list[str]:
        """Give the last lines of a log, oldest first; raises `EnvironmentFault`."""

    def follow_log(self, name: str) -> AsyncIterator[str]:
        """Give each line of a log as it is written."""
