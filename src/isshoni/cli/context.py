"""What every verb works with: the configuration, and the environment it names."""

import asyncio
import os
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from isshoni.cli.config import Config, load_config
from isshoni.cli.errors import NoEnvironment
from isshoni.cli.options import options
from isshoni.cli.output import say_step
from isshoni.engine.companions import Companion, Notes
from isshoni.engine.environment import Environment
from isshoni.engine.notifications import Notifications, Notifier
from isshoni.engine.operations import Engine
from isshoni.engine.rollout_report.writer import ReportFiles, ReportWriter
from isshoni.engine.sqlite_journal import SqliteJournal
from isshoni.environments.local.environment import LocalEnvironment
from isshoni.environments.local.programs import ProgramFiles

T = TypeVar("T")

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
DryRunFlag = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")]
EnvironmentOption = Annotated[
    str, typer.Option("--environment", "-e", help="Which environment; so far there is `local`.")
]


@dataclass(frozen=True)
class Context:
    """One environment, open."""

    config: Config
    local: LocalEnvironment
    journal: SqliteJournal

    @property
    def engine(self) -> Engine:
        """Give the engine over this environment."""
        ports = Environment(
            self.local.traffic,
            self.local.compute,
            self.local.backends,
            self.local.probes,
            self.journal,
        )
        return Engine(ports, companions=self._gather_companions)

    @property
    def reports(self) -> ReportFiles:
        """Give where the reports of rollouts are."""
        return ReportFiles(self.local.config.state_dir / "reports")

    def log_path(self, name: str) -> Path:
        """Give the file that a program of the environment writes to."""
        return ProgramFiles(self.local.config.state_dir).log_path(name)

    def _gather_companions(self, environment: Environment, notes: Notes) -> list[Companion]:
        settings = self.config.notifications
        notifiers = find_notifiers(settings.urls)
        return [
            ReportWriter(self.reports, environment),
            Notifications(notifiers, settings, notes),
        ]


def find_notifiers(urls: Sequence[str]) -> list[Notifier]:
    """Make the receivers of notifications."""
    if not urls:
        return []
    from isshoni.engine.apprise_notifier import open_notifiers  # slow to load, seldom needed

    return open_notifiers(urls, os.environ)


def read_config() -> Config:
    """Read the configuration that the command line names."""
    return load_config(options.config_file)


@contextmanager
def open_context(environment: str, *, create: bool = False) -> Iterator[Context]:
    """Open an environment by its name; only `create` makes one where there is none."""
    config = read_config()
    if environment != "local":
        raise typer.BadParameter(
            f"there is no environment {environment!r}; there is: local",
            param_hint="--environment",
        )
    if not create and not config.environments.local.state_dir.exists():
        raise NoEnvironment(config.environments.local.state_dir)
    local = LocalEnvironment(config.environments.local, say_step)
    journal = SqliteJournal(local.config.state_dir / "journal.sqlite")
    try:
        yield Context(config, local, journal)
    finally:
        journal.close()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a verb's work to its end."""
    return asyncio.run(work)
