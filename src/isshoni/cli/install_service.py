"""`isshoni install-service`: start the environment when the machine boots, by systemd."""

import os
import pwd
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from isshoni.cli.config import find_config
from isshoni.cli.context import JsonFlag, read_config
from isshoni.cli.errors import NoEnvironment
from isshoni.cli.options import options
from isshoni.cli.output import console, print_forecast, print_json, progress
from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.files import write_atomically
from isshoni.environments.local.service_units import (
    DASHBOARD_PORT,
    MARK,
    Service,
    dashboard_unit,
    main_unit,
)
from isshoni.errors import ExitCode, IsshoniError

SYSTEM_UNITS = Path("/etc/systemd/system")
SYSTEMD_RUNS = Path("/run/systemd/system")
"""Exists if systemd is the init system of this machine (sd_booted(3))."""
_KEPT_VARIABLES = ("PATH", "VIRTUAL_ENV", "CONDA_PREFIX", "ISSHONI_STATE_DIR")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class CannotInstall(IsshoniError):
    """The service was not installed or removed, and nothing was changed."""

    exit_code = ExitCode.REFUSED


@dataclass(frozen=True)
class Units:
    """Where the units are, and how systemd is called for them."""

    directory: Path
    systemctl: tuple[str, ...]


def install_service(
    user: Annotated[
        bool, typer.Option("--user", help="A service of your user, without root privileges.")
    ] = False,
    dashboard: Annotated[
        bool, typer.Option("--dashboard", help="Start the dashboard at boot too.")
    ] = False,
    name: Annotated[str, typer.Option(help="Name of the service.")] = "isshoni",
    run_as: Annotated[
        str | None,
        typer.Option(
            metavar="USER",
            help="The user that the programs run as; else the owner of the state directory.",
        ),
    ] = None,
    print_only: Annotated[
        bool, typer.Option("--print", "--dry-run", help="Print the units; change nothing.")
    ] = False,
    uninstall: Annotated[
        bool,
        typer.Option("--uninstall", help="Remove the service; what runs continues to run."),
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Install a systemd service that starts the environment at boot.

    Its main process is the supervisor, which systemd starts again if it dies. A stop or restart
    of the service ends the supervisor only: programs run on and no connection is cut.
    `isshoni down` stops everything. Each region has a service of its own.
    docs/start-at-boot.md has the details.

        isshoni install-service            # for the whole machine: run it with sudo
        isshoni install-service --user --dashboard
        isshoni install-service --print    # only show the units
        isshoni install-service --uninstall

    Exit codes: 0 done, 2 a wrong option, 4 there is no environment yet, 7 refused (nothing was
    changed): there is no systemd, or a unit of this name is not ours, or root is needed.
    """
    if not _NAME.fullmatch(name):
        raise typer.BadParameter(
            f"{name!r}: letters, digits, - and _ (at most 64)", param_hint="--name"
        )
    if uninstall:
        removed = _uninstall(_find_units(user), _list_units(name), dry_run=print_only)
        if print_only:
            words = f"would remove {', '.join(removed)}"
            print_forecast(words, json=json, units=removed)
        elif json:
            print_json({"removed": removed})
        else:
            console.print("removed; what runs continues to run, and `isshoni down` stops it")
        return
    texts: dict[str, str] = {}
    for service in _describe_services(name, run_as, user=user):
        texts[service.name] = main_unit(service)
        if dashboard:
            texts[service.dashboard_name] = dashboard_unit(service)
    units = _find_units(user)
    if print_only:
        _print_units(units, texts, json=json)
        return
    if not SYSTEMD_RUNS.is_dir():
        _print_units(units, texts, json=json)
        raise CannotInstall(
            f"systemd does not run here (there is no {SYSTEMD_RUNS}). The units above can be "
            "installed where it does; anywhere else, let `isshoni up` run at boot"
        )
    _install(units, texts)
    if json:
        print_json({"units": _describe_units(units, texts)})
    else:
        _advise(units, texts)


def _list_units(name: str) -> tuple[str, ...]:
    """Return the names of all units that a service may have."""
    services = (name, *(f"{name}-{region}" for region in read_config().environments.local.regions))
    return tuple(f"{each}{kind}" for each in services for kind in ("", "-dashboard"))


def _describe_services(name: str, run_as: str | None, *, user: bool) -> list[Service]:
    """Return the service of the environment; of one with regions, that of each."""
    config = read_config().environments.local
    if not config.regions:
        return [_describe_service(config, name, run_as, user=user)]
    from isshoni.environments.local.region_files import place_region  # slow to load

    return [
        replace(
            _describe_service(place_region(config, region), f"{name}-{region}", run_as, user=user),
            region=region,
            dashboard_port=DASHBOARD_PORT + number,
        )
        for number, region in enumerate(config.regions)
    ]


def _describe_service(config: LocalConfig, name: str, run_as: str | None, *, user: bool) -> Service:
    if not config.state_dir.is_dir():
        raise NoEnvironment(config.state_dir)
    file = find_config(options.config_file)
    if run_as is not None:
        _refuse_unknown_user(run_as)
    listening = (config.ports.public, config.tls_port if config.tls_certificate else 0)
    account = None if user else run_as or _find_owner(config.state_dir)
    return Service(
        name=name,
        python=Path(sys.executable),
        directory=Path.cwd() if file is None else file.absolute().parent,
        state_dir=config.state_dir,
        config=None if file is None else file.absolute(),
        user=account,
        lowest_port=min(filter(None, listening), default=0),
        environ={key: os.environ[key] for key in _KEPT_VARIABLES if os.environ.get(key)},
    )


def _refuse_unknown_user(name: str) -> None:
    try:
        pwd.getpwnam(name)
    except KeyError:
        raise typer.BadParameter(f"there is no user {name!r}", param_hint="--run-as") from None


def _find_owner(state_dir: Path) -> str:
    uid = state_dir.stat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _print_units(units: Units, texts: dict[str, str], *, json: bool) -> None:
    if json:
        print_json({"units": _describe_units(units, texts)})
        return
    for name, text in texts.items():
        print(f"# {name}.service\n{text}")


def _describe_units(units: Units, texts: dict[str, str]) -> dict[str, dict[str, str]]:
    return {n: {"path": str(_path_of(units, n)), "text": text} for n, text in texts.items()}


def _find_units(user: bool) -> Units:
    if not user:
        return Units(SYSTEM_UNITS, ("systemctl",))
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Units(Path(home) / "systemd" / "user", ("systemctl", "--user"))


def _install(units: Units, texts: dict[str, str]) -> None:
    for name in texts:
        _refuse_foreign(_path_of(units, name))
    try:
        units.directory.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            path = _path_of(units, name)
            write_atomically(path, text.encode())
            path.chmod(0o644)
            progress.print(f"· wrote {path}")
    except OSError as fault:
        raise _cannot_write(units, fault) from None
    _call(units, "daemon-reload")
    _call(units, "enable", *texts)


def _advise(units: Units, texts: dict[str, str]) -> None:
    names, systemctl = " ".join(texts), " ".join(units.systemctl)
    console.print(f"installed; it starts at boot. To start it now: {systemctl} start {names}")
    if len(units.systemctl) > 1:
        console.print("To start it at boot, before you log in: loginctl enable-linger")


def _uninstall(units: Units, names: tuple[str, ...], *, dry_run: bool) -> list[str]:
    """Remove the units that exist; return their paths; remove none in a dry run."""
    paths = {name: _path_of(units, name) for name in names if _path_of(units, name).exists()}
    if not paths:
        raise CannotInstall(f"there is no {_path_of(units, names[0])}")
    for path in paths.values():
        _refuse_foreign(path)
    if dry_run:
        return [str(path) for path in paths.values()]
    if SYSTEMD_RUNS.is_dir():
        _call(units, "disable", *paths)
    try:
        for path in paths.values():
            path.unlink()
            progress.print(f"· removed {path}")
    except OSError as fault:
        raise _cannot_write(units, fault) from None
    if SYSTEMD_RUNS.is_dir():
        _call(units, "daemon-reload")
    return [str(path) for path in paths.values()]


def _path_of(units: Units, name: str) -> Path:
    return units.directory / f"{name}.service"


def _refuse_foreign(path: Path) -> None:
    if path.exists() and MARK not in path.read_text(errors="replace"):
        raise CannotInstall(f"{path} was not written by Isshoni: choose another --name")


def _cannot_write(units: Units, fault: OSError) -> CannotInstall:
    advice = "" if len(units.systemctl) > 1 else ": run it with sudo, or with --user"
    return CannotInstall(f"{units.directory} cannot be changed ({fault.strerror}){advice}")


def _call(units: Units, *words: str) -> None:
    program = shutil.which(units.systemctl[0])
    if program is None:
        raise CannotInstall(f"there is no {units.systemctl[0]} in PATH")
    command = [program, *units.systemctl[1:], *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        shown = " ".join([*units.systemctl, *words])
        raise IsshoniError(f"`{shown}` failed: {done.stderr.strip() or done.returncode}")
