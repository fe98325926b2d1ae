"""Open the environment that a command works with, by the configuration."""

import asyncio
import os
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, TypeVar

import typer

from isshoni.cli.config import Config, find_config, load_config
from isshoni.cli.environments import place_on_aws
from isshoni.cli.errors import NoEnvironment
from isshoni.cli.options import options
from isshoni.cli.output import progress, say_step
from isshoni.engine.asked_by import AskedBy, find_asker
from isshoni.engine.companions import Companion, Notes
from isshoni.engine.environment import Environment
from isshoni.engine.journal import Journal
from isshoni.engine.notifications import Notifications, Notifier
from isshoni.engine.operations import Engine
from isshoni.engine.rollout_report.writer import ReportFiles, ReportWriter
from isshoni.engine.standby import plan_standby, stand_by
from isshoni.environments.http import keep_connections
from isshoni.environments.place import Place
from isshoni.rollout.plan import RolloutPlan

T = TypeVar("T")

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
DryRunFlag = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be done; change nothing.")
]
EnvironmentOption = Annotated[
    str,
    typer.Option(
        "--environment",
        "-e",
        help="`local`, an environment like `staging`, or a region of one, like `local.east`.",
    ),
]


@dataclass(frozen=True)
class Context:
    """An open environment with its configuration, journal and rollout plan."""

    config: Config
    place: Place
    journal: Journal
    plan: RolloutPlan
    """The plan of rollouts to this environment."""
    is_standby: bool = False
    """True if it is a region that stands by: a rollout there needs no canary."""

    @property
    def engine(self) -> Engine:
        """Return an engine that works on this environment."""
        place = self.place
        ports = Environment(
            place.traffic,
            place.compute,
            place.backends,
            place.probes,
            self.journal,
            place.alarms,
        )
        if self.is_standby:
            ports = stand_by(ports)
        return Engine(ports, who=find_asker(), companions=self._gather_companions)

    @property
    def reports(self) -> ReportFiles:
        """Return the files in which the reports of rollouts are."""
        return ReportFiles(self.place.state_dir / "reports")

    def _gather_companions(self, environment: Environment, notes: Notes) -> list[Companion]:
        settings = self.config.notifications
        notifiers = [*find_notifiers(settings.urls), *self.place.find_notifiers()]
        return [
            AskedBy(notes, find_asker()),
            ReportWriter(self.reports, environment),
            Notifications(notifiers, settings, notes),
        ]


def find_notifiers(urls: Sequence[str]) -> list[Notifier]:
    """Return a notifier for each URL."""
    if not urls:
        return []
    from isshoni.engine.apprise_notifier import open_notifiers  # slow to load, rarely needed

    return open_notifiers(urls, os.environ)


def read_config() -> Config:
    """Return the configuration that `--config` names, or the default one."""
    return load_config(options.config_file)


@contextmanager
def open_context(
    environment: str, *, create: bool = False, rehearse: bool = False
) -> Iterator[Context]:
    """Open an environment by its name; with `create`, `local` need not exist yet.

    With `rehearse`, one that does not exist is not created: a temporary one is opened.
    """
    config = read_config()
    with ExitStack() as stack:
        state_dir = config.environments.local.state_dir
        if rehearse and environment == "local" and not state_dir.exists():
            config = _move_to(config, Path(stack.enter_context(TemporaryDirectory())))
        yield from _open(config, environment, create=create)


def _move_to(config: Config, state_dir: Path) -> Config:
    local = config.environments.local.model_copy(update={"state_dir": state_dir})
    environments = config.environments.model_copy(update={"local": local})
    return config.model_copy(update={"environments": environments})


def _open(config: Config, environment: str, *, create: bool) -> Iterator[Context]:
    name, _, region = environment.partition(".")
    is_standby = False
    if name == "local":
        place, is_standby = _open_local(config, region, create=create)
        plan = config.rollout
    else:
        place, plan, is_standby = _open_aws(config, environment)
    journal = place.open_journal()
    if journal.fault is not None:
        progress.print(journal.fault, style="yellow")
    try:
        if is_standby:
            plan = plan_standby(plan)
        yield Context(config, place, journal, plan, is_standby)
    finally:
        journal.close()


def remember_config(context: Context) -> None:
    """Store the path of the configuration for `isshoni attend` (local environments only).

    There the supervisor starts it for a rollout without an engine.
    """
    local, state_dir = context.config.environments.local, context.place.state_dir
    if state_dir == local.state_dir or local.regions:
        from isshoni.environments.local.filesystems import translate_os_errors
        from isshoni.environments.local.region_files import find_attended
        from isshoni.environments.local.rollout_watch import remember_config as remember

        region = find_attended(local, state_dir)
        if state_dir == local.state_dir or region is not None:
            with translate_os_errors(state_dir):
                remember(state_dir, find_config(options.config_file), region)


def _open_local(config: Config, region: str, *, create: bool) -> tuple[Place, bool]:
    """Return the environment, and True if it is a region that stands by."""
    if region or config.environments.local.regions:
        from isshoni.cli.regions import open_region  # slow to load

        opened = open_region(config, region, create=create)
        return opened, opened.is_standby
    if not create and not config.environments.local.state_dir.exists():
        raise NoEnvironment(config.environments.local.state_dir)
    from isshoni.environments.local.environment import LocalEnvironment  # slow to load

    return LocalEnvironment(config.environments.local, say_step), False


def _open_aws(config: Config, environment: str) -> tuple[Place, RolloutPlan, bool]:
    settings = place_on_aws(config, environment)
    from isshoni.environments.aws.environment import open_environment  # slow to load

    is_region = "." in environment
    opened = run(open_environment(settings, say_step, is_region=is_region))
    return opened, settings.rollout, opened.is_standby


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine and return its result."""
    return asyncio.run(_run_with_kept_connections(work))


async def _run_with_kept_connections(work: Coroutine[Any, Any, T]) -> T:
    async with keep_connections():
        return await work
