"""The `isshoni` command: its global options and its exit on errors."""

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from isshoni import __version__
from isshoni.cli.closed_output import OutputClosed, raise_if_output_closes
from isshoni.cli.encoding import allow_any_encoding
from isshoni.cli.options import options
from isshoni.cli.verbs import Verbs, list_verbs
from isshoni.errors import ExitCode, IsshoniError

app = typer.Typer(
    name="isshoni",
    cls=Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
list_verbs(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"isshoni {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    config: Annotated[
        Path | None,
        typer.Option(
            envvar="ISSHONI_CONFIG", help="Configuration file to read instead of ./isshoni.toml."
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    """Run a realtime platform, and deploy to it without dropping a connection."""
    options.config_file = config


def main() -> None:
    """Run the command line; print an `IsshoniError` as a sentence, and exit by its code."""
    allow_any_encoding()
    try:
        with raise_if_output_closes():
            app()
    except OutputClosed:
        sys.exit(ExitCode.OUTPUT_CLOSED)
    except IsshoniError as fault:
        with contextlib.suppress(OSError):  # the terminal may be closed
            print(f"isshoni: {fault}", file=sys.stderr, flush=True)
        sys.exit(fault.exit_code)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
