"""Print results on stdout, progress and advice on stderr."""

import os
import sys
from typing import Any, TextIO

import msgspec
from rich.console import Console
from rich.text import Text

from isshoni.cli.encoding import can_encode
from isshoni.cli.tables import Rows
from isshoni.rollout.model import Release

_PIPED_WIDTH = 10_000
"""Columns when the output is not a terminal: a row and a sentence stay on one line each."""


def _choose_width(stream: TextIO | None) -> int | None:
    """Return the width to print with; None: that of the terminal, or `$COLUMNS`."""
    if os.environ.get("COLUMNS", "").isdecimal() or (stream is not None and stream.isatty()):
        return None
    return _PIPED_WIDTH


def _open_console(stream: TextIO | None, *, stderr: bool = False) -> Console:
    # Without markup: labels, paths and reasons may contain brackets, or words like `:x:`.
    return Console(
        stderr=stderr, highlight=False, markup=False, emoji=False, width=_choose_width(stream)
    )


console = _open_console(sys.stdout)
"""Prints results, on stdout."""

progress = _open_console(sys.stderr, stderr=True)
"""Prints progress and advice, on stderr, so that results on stdout stay clean."""


def styled(*parts: str | tuple[str, str]) -> Text:
    """Return a text of parts, each as it is or with its style: `("up", "bold green")`."""
    return Text.assemble(*parts)


def say_step(step: str) -> None:
    """Print a step that begins, on stderr."""
    progress.print(f"· {step}")


def print_json(data: Any, *, indent: int | None = 2) -> None:
    """Print one JSON document on stdout; on one line if `indent` is None."""
    encoded = msgspec.json.encode(data)
    if indent is not None:
        encoded = msgspec.json.format(encoded, indent=indent)
    text = encoded.decode()
    if not can_encode(text, sys.stdout):
        text = _escape(text)
    sys.stdout.write(text + "\n")


def _escape(text: str) -> str:
    """Return JSON with every character outside ASCII as its escape."""
    units = text.encode("utf-16-be", "surrogatepass")
    numbers = [int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2)]
    return "".join(chr(number) if number < 128 else f"\\u{number:04x}" for number in numbers)


def print_forecast(words: str, *, json: bool, **data: Any) -> None:
    """Print what a command would do without `--dry-run`: a sentence, or JSON with its data.

    `words` begins with "would", which is the name of the JSON field.
    """
    if json:
        print_json({"dry_run": True, "would": words.removeprefix("would "), **data})
    else:
        console.print(words)


def table(title: str, *columns: str) -> Rows:
    """Return an empty table with a title and column headers."""
    return Rows(title, columns)


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
