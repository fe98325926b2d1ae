"""Parse the release that a command line names."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from isshoni.cli.config import AppConfig
from isshoni.cli.context import Context, run
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
        help="Run this program instead of Isshoni's own: a command line with {host}, {port}, "
        "{colour}, {version} and, if it speaks the admin API, {admin_port}."
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


def resolve_release(context: Context, release: Release) -> Release:
    """Return a release with the current content id of its source, or raise `ReleaseFault`."""
    return run(context.place.compute.resolve(release))


def parse_release(
    version: str,
    app: AppConfig,
    *,
    command: str | None = None,
    ready_path: str | None = None,
    label: str | None = None,
    relay: Relaying | None = None,
) -> Release:
    """Return the release for a label, directory, wheel or `git:REF`; may raise `BadParameter`."""
    source = _find_source(version)
    command = command or app.command
    name = label or (_name_source(source) if source else version)
    if not _LABEL.fullmatch(name):
        raise typer.BadParameter(
            f"{name!r} is not a version label: use up to 64 letters, digits and . _ + -, "
            "or name an existing directory, a wheel, or git:REF"
        )
    return Release(
        label=name,
        source=source,
        command=command,
        ready_path=ready_path or app.ready_path,
        # A command without a source runs in the current directory.
        directory=str(Path.cwd()) if command and source is None else None,
        # A program that speaks the admin API moves its clients itself.
        relay=relay if command and "{admin_port}" not in command else None,
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
    if profile not in PROFILES:
        raise typer.BadParameter(
            f"there is no profile {profile!r}, only: {', '.join(PROFILES)}", param_hint="--profile"
        )
    return replace(relay, profile=profile)


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
