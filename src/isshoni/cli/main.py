"""The `isshoni` command: verbs, their order in `--help`, and how errors end."""

import sys

import typer

from isshoni import __version__
from isshoni.cli import context
from isshoni.errors import ExitCode, IsshoniError

app = typer.Typer(
    name="isshoni",
    help="Run a realtime platform and redeploy it without cutting anybody off.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def main() -> None:
    """Run the command line; an error of ours is one sentence and an exit code."""
    try:
        app()
    except IsshoniError as fault:
        print(f"isshoni: {fault}", file=sys.stderr)
        sys.exit(fault.exit_code)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
