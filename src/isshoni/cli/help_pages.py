"""Print the help of a command as a list, which fits any width.

Typer's panels have columns for names, types and bounds: 80 columns leave 20 for the text, and
40 cut the names of options off.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console
from rich.markdown import Markdown
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

MAX_COLUMNS = 100
"""Longer lines are hard to read."""
TABLE_COLUMNS = 60
"""In fewer columns, commands are a list too."""
_VALUES = {"str": "TEXT", "Path": "FILE", "path": "FILE", "int": "N", "float": "N"}
"""What stands for a value of a type, if the option names nothing itself."""


def print_help(command: Any, ctx: Any) -> None:
    """Print the help of a command: each option, and its text below it."""
    out = Console(highlight=False, markup=False, emoji=False)
    out.width = min(out.width, MAX_COLUMNS)
    usage = " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)])
    out.print(_indent(Text(f"Usage: {usage}"), (1, 1, 1, 1)))
    if command.help:
        out.print(_indent(Markdown(command.help), (0, 1, 1, 1)))
    params = [it for it in command.get_params(ctx) if not getattr(it, "hidden", False)]
    for title, kind in (("Arguments", "argument"), ("Options", "option")):
        rows = [_describe(it, ctx) for it in params if it.param_type_name == kind]
        _print_section(out, title, rows)
    commands = getattr(command, "commands", {})
    rows = [(name, it.help or "") for name, it in commands.items()]
    if out.width < TABLE_COLUMNS:
        _print_section(out, "Commands", rows)
    elif rows:
        _print_table(out, "Commands", rows)


def _print_table(out: Console, title: str, rows: Iterable[tuple[str, str]]) -> None:
    drawn = Table.grid(padding=(0, 2))
    drawn.add_column(style="cyan", no_wrap=True)
    drawn.add_column()
    for name, words in rows:
        drawn.add_row(name, Text.assemble(*_mark_code(words)))
    out.print(_indent(Text(title, style="bold"), (0, 1, 0, 1)))
    out.print(_indent(drawn, (0, 1, 1, 3)))


def _print_section(out: Console, title: str, rows: Iterable[tuple[str, str]]) -> None:
    shown = list(rows)
    if not shown:
        return
    out.print(_indent(Text(title, style="bold"), (0, 1, 0, 1)))
    for name, words in shown:
        out.print(_indent(Text(name, style="cyan", overflow="fold"), (0, 1, 0, 3)))
        out.print(_indent(Text.assemble(*_mark_code(words), overflow="fold"), (0, 1, 0, 7)))
    out.print()


def _indent(words: Text | Markdown | Table, by: tuple[int, int, int, int]) -> Padding:
    return Padding(words, by, expand=False)  # without spaces at the end of each line


def _describe(param: Any, ctx: Any) -> tuple[str, str]:
    """Return the names of an argument or option with its value, and its text with its default."""
    record = param.get_help_record(ctx)
    words = record[1] if record else param.help or ""
    if param.param_type_name == "argument":
        return (param.metavar or param.name).upper(), words
    names = ", ".join([*sorted(param.opts, key=len), *param.secondary_opts])
    return f"{names} {_name_value(param)}".rstrip(), words


def _name_value(option: Any) -> str:
    """Return what stands for the value of an option: `TEXT`; nothing for a flag."""
    if option.metavar is not None or option.is_flag:
        return option.metavar or ""
    # Releases of Typer without `bare_type` have types that name themselves.
    kind = option.bare_type() if hasattr(option, "bare_type") else option.type.name
    element = re.sub(r"^list\[(.*)\]$", r"\1", kind)
    return _VALUES.get(element, element.upper())


def _mark_code(words: str) -> Iterator[str | tuple[str, str]]:
    """Yield the parts of a text; what is between backticks is bold."""
    for number, part in enumerate(words.split("`")):
        yield (part, "bold") if number % 2 else part
