"""What verbs print: data on stdout, progress and advice on stderr."""

import sys
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from isshoni.rollout.model import Release

_PIPED_WIDTH = 120
"""Columns where no terminal says how many it has."""

console = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)
"""Results, for people."""

progress = Console(
    stderr=True, highlight=False, width=None if sys.stderr.isatty() else _PIPED_WIDTH
)
"""What is going on; never mixed into results."""


def say_step(step: str) -> None:
    """Tell what is being done."""
    progress.print(f"· {step}", markup=False)


def print_json(data: Any) -> None:
    """Print one JSON document on stdout."""
    encoded = msgspec.json.format(msgspec.json.encode(data), indent=2)
    sys.stdout.write(encoded.decode() + "\n")


def table(title: str, *columns: str) -> Table:
    """Make a table in the house style."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, header_style="dim")
    return made


def name_release(shown: dict[str, Any]) -> str:
    """Return the label of a release in a snapshot, with its commit or digest."""
    return Release(shown["release"] or "", content=shown.get("content")).name
