"""What verbs print: data on stdout, progress and advice on stderr."""

import sys
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

console = Console(highlight=False)
"""Results, for people."""

progress = Console(stderr=True, highlight=False)
"""What is going on; never mixed into results."""


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
