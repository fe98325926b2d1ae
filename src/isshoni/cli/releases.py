"""Parse the release that a command line names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from isshoni.cli.config import AppConfig
from isshoni.cli.context import Context, run
from isshoni.cli.env_file import parse_variable, read_env_file
from isshoni.environments.errors import ReleaseFault
from isshoni.rollout.model import PROFILES, Relaying, Release

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")

VersionArgument = Annotated[
    str,
    typer.Argument(
        metavar="VERSION",
        help="A label (`v1.1`), a directory, a wheel, or `git:REF` of this repository.",
    ),
]
CommandOption = Annotated[
    str | None,
    typer.Option(
        help="Run this program instead of Isshoni's own, in the current directory (or in that of "
        "VERSION) and with the variables of this shell. Its placeholders: {port} to listen on, "
        "{host}, {colour} (blue or green), {version} and, only if it speaks the admin API, "
        "{admin_port}. No shell is involved; write {{ and }} for braces."
    ),
]
CwdOption = Annotated[
    str | None,
    typer.Option(
        "--cwd",
        help="The directory that the command runs in, instead of the current one; with a "
        "directory or commit as VERSION, a directory of it.",
    ),
]
EnvOption = Annotated[
    list[str] | None,
    typer.Option(
        "--env",
        metavar="NAME=VALUE",
        help="Set an environment variable of the program; repeatable. Only its name is shown by "
        "other commands. For secrets --env-file is better: `ps` shows command lines.",
    ),
]
EnvFileOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--env-file",
        help="Read environment variables from a file with a NAME=VALUE a line; repeatable. "
        "Those of --env go before them.",
    ),
]
ReadyPathOption = Annotated[
    str | None, typer.Option(help="The path that answers 200 when the program is ready.")
]
ProfileOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="What the relay knows of the program's protocol: " + ", ".join(PROFILES) + ".",
    ),
]
LabelOption = Annotated[str | None, typer.Option(help="Name to show for this version.")]

DrainOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=86_400,
        metavar="SECONDS",
        help="How long connections that cannot be moved may stay on the old version, instead of "
        "`drain_timeout_seconds`; the relay spreads their closes over this time. A rollout that "
        "runs already keeps its own.",
    ),
]


def set_drain(context: Context, seconds: float | None) -> Context:
    """Return the context with another drain timeout in the plan of its rollouts, if given."""
    if seconds is None:
        return context
    plan = context.plan.model_copy(update={"drain_timeout_seconds": seconds})
    return replace(context, plan=plan)


def resolve_release(context: Context, release: Release) -> Release:
    """Return a release with the current content id of its source, or raise `ReleaseFault`."""
    return run(context.place.compute.resolve(release))


@dataclass(frozen=True)
class Wanted:
    """The options of a command line about the release."""

    command: str | None = None
    ready_path: str | None = None
    label: str | None = None
    cwd: str | None = None
    env: Sequence[str] = ()
    env_files: Sequence[Path] = ()
    profile: str | None = None

    def read_variables(self, app: AppConfig) -> dict[str, str]:
        """Return all variables; raises `BadParameter`."""
        variables = read_env_file(app.env_file) if app.env_file else {}
        variables |= dict(app.env)
        for path in self.env_files:
            variables |= read_env_file(path)
        return variables | dict(map(parse_variable, self.env))


def choose_release(context: Context, version: str, wanted: Wanted, *, keep: bool) -> Release:
    """Return the release that a command line names; with `keep`, store its variables for later.

    Raises `BadParameter`, and `ReleaseFault` where a release cannot have variables.
    """
    app = context.config.app
    relay = choose_relaying(context, wanted.profile)
    release = parse_release(version, app, wanted, relay)
    values = wanted.read_variables(app)
    if not values:
        return release
    variables = context.place.variables
    if variables is None:
        raise ReleaseFault(
            f"{', '.join(sorted(values))} cannot be set here: on AWS the variables of a program "
            "are in its image and in Terraform"
        )
    if keep:
        variables.keep(values)
    else:
        variables.hold(values)
    return variables.describe(release, values)


def check_request(version: str, app: AppConfig, wanted: Wanted) -> None:
    """Raise `BadParameter` for a release that no environment could run; nothing is opened."""
    parse_release(version, app, wanted)
    wanted.read_variables(app)
    if wanted.profile is not None:
        _check_profile(wanted.profile)


def parse_release(
    version: str, app: AppConfig, wanted: Wanted = Wanted(), relay: Relaying | None = None
) -> Release:
    """Return the release for a label, directory, wheel or `git:REF`, without its variables.

    Raises `BadParameter`.
    """
    source = _find_source(version)
    command = wanted.command or app.command
    name = wanted.label or (_name_source(source) if source else version)
    if not _LABEL.fullmatch(name):
        raise typer.BadParameter(
            f"{name!r} is not a version label: use up to 64 letters, digits and . _ + -, "
            "or name an existing directory, a wheel, or git:REF"
        )
    cwd = wanted.cwd or app.cwd
    has_programs = bool(command or app.processes)
    if wanted.cwd and not has_programs:
        raise typer.BadParameter("there is no --command to run in it", param_hint="--cwd")
    return Release(
        label=name,
        source=source,
        command=command,
        ready_path=wanted.ready_path or app.ready_path,
        # Commands without a source run in the current directory.
        directory=_find_directory(cwd) if has_programs and source is None else None,
        cwd=cwd if source is not None and has_programs else None,
        # A program that speaks the admin API moves its clients itself.
        relay=relay if command and "{admin_port}" not in command else None,
        side_programs=tuple(sorted(app.processes.items())),
    )


def choose_relaying(context: Context, profile: str | None) -> Relaying | None:
    """Return how the environment relays sockets, with `--profile` if it is given.

    After `relay = false` the relay has sockets of the stable release, and can still move them.
    """
    relay = context.place.relaying
    if profile is None:
        stable = context.journal.read_stable()
        before = stable.release.relay if stable else None
        return replace(before, new_sockets=False) if relay is None and before else relay
    if relay is None:
        raise typer.BadParameter(
            f"no relay runs in this environment, so it cannot use the profile {profile!r} "
            "(only local environments have one, unless `relay = false`)",
            param_hint="--profile",
        )
    _check_profile(profile)
    return replace(relay, profile=profile)


def _check_profile(profile: str) -> None:
    if profile not in PROFILES:
        raise typer.BadParameter(
            f"there is no profile {profile!r}, only: {', '.join(PROFILES)}", param_hint="--profile"
        )


def _find_directory(cwd: str | None) -> str:
    directory = Path.cwd() / Path(cwd or ".").expanduser()
    if not directory.is_dir():
        found = "is not a directory" if directory.exists() else "does not exist"
        raise typer.BadParameter(f"{directory} {found}", param_hint="--cwd")
    return str(directory.resolve())


def _find_source(version: str) -> str | None:
    if version.startswith("git:"):
        return version
    path = Path(version).expanduser()
    if version.endswith(".whl"):
        if not path.is_file():
            raise typer.BadParameter(f"there is no wheel {version!r}")
        return str(path.absolute())
    if "/" in version or version in (".", ".."):
        if not path.is_dir():
            raise typer.BadParameter(f"there is no directory {version!r}")
        return str(path.resolve())
    return None


def _name_source(source: str) -> str:
    if source.startswith("git:"):
        return re.sub(r"[^A-Za-z0-9._+-]", "-", source.removeprefix("git:")).lstrip("-._+")[:64]
    path = Path(source)
    if path.suffix == ".whl":
        return "-".join(path.name.split("-")[:2])
    return path.name
