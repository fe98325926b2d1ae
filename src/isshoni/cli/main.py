"""The `isshoni` command: its global options and its exit on errors."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from isshoni import __version__
from isshoni.cli.closed_output import OutputClosed, raise_if_output_closes
from isshoni.cli.completion import complete_at_first_tab
from isshoni.cli.encoding import allow_any_encoding
from isshoni.cli.options import options
from isshoni.cli.verbs import Verbs, list_verbs
from isshoni.environments.disk import describe_os_error
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
complete_at_first_tab()


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
    except OSError as fault:  # of a file that no adapter has translated
        with contextlib.suppress(OSError):
            print(f"isshoni: {_describe(fault)}", file=sys.stderr, flush=True)
        sys.exit(ExitCode.ENVIRONMENT)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)


def _describe(fault: OSError) -> str:
    named = isinstance(fault.filename, str | bytes) and bool(fault.filename)
    path = Path(os.fsdecode(fault.filename)) if named else None
    why = describe_os_error(fault, (path or Path.cwd()).absolute())
    return f"{path}: {why}" if path and str(path) not in why else why
