"""The `isshoni` command: verbs, their order in `--help`, and how errors end."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from isshoni import __version__
from isshoni.cli.abort import abort
from isshoni.cli.context import options
from isshoni.cli.dashboard import dashboard
from isshoni.cli.deploy import deploy
from isshoni.cli.doctor import doctor
from isshoni.cli.down import down
from isshoni.cli.history import history
from isshoni.cli.logs import logs
from isshoni.cli.notify import notify
from isshoni.cli.pause import pause
from isshoni.cli.plan import plan
from isshoni.cli.promote import promote
from isshoni.cli.resume import resume
from isshoni.cli.rollback import rollback
from isshoni.cli.status import status
from isshoni.cli.token import token
from isshoni.cli.up import up
from isshoni.cli.verify import verify
from isshoni.errors import ExitCode, IsshoniError

app = typer.Typer(
    name="isshoni",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
_VERBS = (
    up,
    deploy,
    rollback,
    pause,
    resume,
    abort,
    promote,
    plan,
    status,
    logs,
    history,
    dashboard,
    verify,
    token,
    notify,
    doctor,
    down,
)
for verb in _VERBS:
    app.command()(verb)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"isshoni {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    config: Annotated[
        Path | None,
        typer.Option(envvar="ISSHONI_CONFIG", help="Read this instead of ./isshoni.toml."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Say which.")
    ] = False,
) -> None:
    """Run a realtime platform, and redeploy it without cutting anybody off."""
    options.config_file = config


def main() -> None:
    """Run the command line; an error of ours is one sentence and an exit code."""
    try:
        app()
    except IsshoniError as fault:
        print(f"isshoni: {fault}", file=sys.stderr)
        sys.exit(fault.exit_code)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
