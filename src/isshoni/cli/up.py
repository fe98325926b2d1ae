"""`isshoni up`: start the environment, or repair it."""

from typing import Annotated

import typer

from isshoni import __version__
from isshoni.cli.context import (
    Context,
    DryRunFlag,
    EnvironmentOption,
    JsonFlag,
    open_context,
    read_config,
    run,
)
from isshoni.cli.output import console, print_forecast, print_json, progress, styled
from isshoni.cli.region_option import RegionOption, name_environment
from isshoni.cli.releases import (
    CommandOption,
    CwdOption,
    EnvFileOption,
    EnvOption,
    LabelOption,
    ProfileOption,
    ReadyPathOption,
    Wanted,
    check_request,
    choose_release,
    resolve_release,
)
from isshoni.engine.advice import advise_to_continue
from isshoni.engine.errors import NothingToDo
from isshoni.rollout.model import Stable


def up(
    version: Annotated[
        str | None,
        typer.Argument(
            metavar="VERSION",
            help="A label, a directory, a wheel, or `git:REF`; see `deploy --help`.",
        ),
    ] = None,
    command: CommandOption = None,
    ready_path: ReadyPathOption = None,
    label: LabelOption = None,
    profile: ProfileOption = None,
    cwd: CwdOption = None,
    env: EnvOption = None,
    env_file: EnvFileOption = None,
    environment: EnvironmentOption = "local",
    region: RegionOption = None,
    dry_run: DryRunFlag = False,
    json: JsonFlag = False,
) -> None:
    """Start the environment, or restart the parts of it that do not run.

    Starts Redis, the load balancer and VERSION on blue, under a supervisor that restarts
    programs that die. They keep running when this command ends. Later, `isshoni up` starts
    the version that was promoted last.

        isshoni up                 # the installed Isshoni
        isshoni up v1.0            # the same, labelled v1.0
        isshoni up ./my-checkout   # the code in that directory, in its own environment
        isshoni up v1 --command "uvicorn app:app --port {port}" --ready-path /up
        isshoni up v1 --command "node server.js {port}" --env-file .env --env DEBUG=1
    """
    environment = name_environment(environment, region)
    wanted = Wanted(command, ready_path, label, cwd, env or (), env_file or (), profile)
    _check_first(environment, version, wanted)
    with open_context(environment, create=True, rehearse=dry_run) as context:
        stable = choose_stable(context, version, wanted, keep=not dry_run)
        if dry_run:
            parts = list(context.place.describe_up())
            words = f"would bring up {stable.release.name} on {stable.colour}, with:"
            words = "\n  ".join([words, *parts])
            print_forecast(words, json=json, stable=stable, uses=parts)
            return
        run(context.place.up(stable))
        context.journal.record_stable(stable, at=context.engine.clock.now())
        _warn_of_unfinished(context)
        public = context.place.public_url
        if json:
            print_json({"address": public, "stable": stable})
        else:
            name = stable.release.name
            console.print(styled((name, "bold"), " is live at ", (public, "bold")))


def _check_first(environment: str, version: str | None, wanted: Wanted) -> None:
    """Raise an error for a version that cannot be started, before a state directory is made."""
    config = read_config()
    check_request(version or f"v{__version__}", config.app, wanted)
    local = config.environments.local
    if environment == "local" and not local.regions and not local.state_dir.exists():
        with open_context(environment, create=True, rehearse=True) as rehearsed:
            choose_stable(rehearsed, version, wanted, keep=False)


def choose_stable(context: Context, version: str | None, wanted: Wanted, *, keep: bool) -> Stable:
    """Return the stable release, or the requested one if nothing was deployed yet."""
    stable = context.journal.read_stable()
    asked = choose_release(context, version or f"v{__version__}", wanted, keep=keep)
    if stable is None:
        now = context.engine.clock.now()
        return Stable("blue", resolve_release(context, asked), since=now)
    if version is not None and not asked.is_request_for(stable.release):
        if _is_stopped_standby(context):
            now = context.engine.clock.now()
            return Stable(stable.colour, resolve_release(context, asked), since=now)
        raise NothingToDo(
            f"{stable.release.name} is the stable version here: if it does not run, `isshoni up` "
            f"starts it; then `isshoni deploy {version}` (to delete everything: `isshoni down "
            "--purge`)"
        )
    return stable


def _is_stopped_standby(context: Context) -> bool:
    """True if no client can be on this region: it may start with another version."""
    from isshoni.environments.local.region_environment import RegionEnvironment  # slow to load

    return isinstance(context.place, RegionEnvironment) and context.place.is_stopped_standby


def _warn_of_unfinished(context: Context) -> None:
    latest = context.journal.read_latest()
    if latest and latest.rollout.outcome == "running":
        label = latest.rollout.release.label
        begin = (f"The rollout of {label} was left unfinished:", "yellow")
        progress.print(styled(begin, f" {advise_to_continue(latest.rollout)}."))
