"""Print results on stdout, progress and advice on stderr."""

import sys
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from isshoni.rollout.model import Release

_PIPED_WIDTH = 120
"""Columns when the output is not a terminal."""

console = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)
"""Prints results, on stdout."""

progress = Console(
    stderr=True, highlight=False, width=None if sys.stderr.isatty() else _PIPED_WIDTH
)
"""Prints progress and advice, on stderr, so that results on stdout stay clean."""


def say_step(step: str) -> None:
    """Print a step that begins, on stderr."""
    progress.print(f"· {step}", markup=False)


def print_json(data: Any) -> None:
    """Print one JSON document on stdout."""
    encoded = msgspec.json.format(msgspec.json.encode(data), indent=2)
    sys.stdout.write(encoded.decode() + "\n")


def table(title: str, *columns: str) -> Table:
    """Return an empty table with a title and column headers."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, header_style="dim")
    return made


def name_release(shown: dict[str, Any]) -> str:
    """Return the label of a release in a snapshot, with its commit or digest."""
    return Release(shown["release"] or "", content=shown.get("content")).name
