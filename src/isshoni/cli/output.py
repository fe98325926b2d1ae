"""Print results on stdout, progress and advice on stderr."""

import sys
from typing import Any, TextIO

import msgspec
from rich.console import Console
from rich.table import Table

from isshoni.rollout.model import Release

_PIPED_WIDTH = 120
"""Columns when the output is not a terminal."""


def _choose_width(stream: TextIO | None) -> int | None:
    """Return the width to print with; None: that of the terminal."""
    return None if stream is not None and stream.isatty() else _PIPED_WIDTH


console = Console(highlight=False, width=_choose_width(sys.stdout))
"""Prints results, on stdout."""

progress = Console(stderr=True, highlight=False, width=_choose_width(sys.stderr))
"""Prints progress and advice, on stderr, so that results on stdout stay clean."""


def say_step(step: str) -> None:
    """Print a step that begins, on stderr."""
    progress.print(f"· {step}", markup=False)


def print_json(data: Any, *, indent: int | None = 2) -> None:
    """Print one JSON document on stdout; on one line if `indent` is None."""
    encoded = msgspec.json.encode(data)
    if indent is not None:
        encoded = msgspec.json.format(encoded, indent=indent)
    sys.stdout.write(encoded.decode() + "\n")


def table(title: str, *columns: str) -> Table:
    """Return an empty table with a title and column headers."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, header_style="dim")
    return made


def describe_process(process: dict[str, Any]) -> str:
    """Return how a process of a slot is: ready, evacuated, or why it is not ready."""
    if process["evacuated"]:
        return "evacuated"
    return "ready" if process["ready"] else process["reason"] or "not ready"


def list_several(seen: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the processes of the slots that have several."""
    slots = [colour.get("processes", []) for colour in seen["colours"].values()]
    return [process for slot in slots if len(slot) > 1 for process in slot]


def name_release(shown: dict[str, Any]) -> str:
    """Return the label of a release in a snapshot, with its commit or digest."""
    return Release(shown["release"] or "", content=shown.get("content")).name
