"""Write docs/reference/cli.md from the commands' own help, options and defaults."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import typer

from isshoni.cli.main import app
from isshoni.cli.verbs import VERBS, load_verb
from tools.docs.stage import ROOT

PAGE = ROOT / "docs" / "reference" / "cli.md"
_INTRODUCTION = """\
# Command line

<!-- Generated from the code of `isshoni`. Do not edit it: run `scripts/docs --write`. -->

Every subcommand of `isshoni`, with its options and their defaults, as the option `--help` of each
prints them. [The operator's guide](../operate.md) says when to use which.

"""
_EXITS = "Exit codes: "
_EXIT_PAGE = "../operate.md#exit-codes"
_PLACEHOLDERS = {"str": "TEXT", "path": "FILE", "Path": "FILE", "int": "N", "float": "N"}
"""What stands for a value of this type, if the option names nothing itself."""
_DEFAULT = re.compile(r" *\[((?:[^\[\]]|\[[^\]]*\])*)\]$")
"""What the help of an option ends with: `[default: 3; x>=1]`, `[required]`."""


def write() -> None:
    """Write the page."""
    PAGE.write_text(render())


def render() -> str:
    """Return the page as it should be now."""
    overview = _table(("command", "what it does"), ((_link(n), text) for n, text in VERBS.items()))
    sections = (_describe(name) for name in VERBS)
    return _INTRODUCTION + "\n".join([*_describe_program(), overview, *sections])


def _describe_program() -> Iterator[str]:
    command = typer.main.get_command(app)
    yield "```text\nisshoni [OPTIONS] COMMAND [ARGUMENTS]\n```\n"
    yield "These options stand before the command:\n"
    yield from _list_parameters(command, "isshoni")


def _link(name: str) -> str:
    return f"[`{name}`](#isshoni-{name})"


def _describe(name: str) -> str:
    """Return the section of one subcommand."""
    command = load_verb(name)
    context = command.make_context(name, [], resilient_parsing=True)
    usage = " ".join(_unbrace(piece) for piece in command.collect_usage_pieces(context))
    paragraphs = command.help.split("\n\n")
    exits = [p.removeprefix(_EXITS) for p in paragraphs if p.startswith(_EXITS)]
    said = f"[those of every command]({_EXIT_PAGE})"
    if exits:
        said = f"{exits[0].rstrip('.')} ([the others]({_EXIT_PAGE}))"
    return "\n".join(
        [
            f"## isshoni {name}\n",
            f"```text\nisshoni {name} {usage}\n```\n",
            *(f"{p}\n" for p in paragraphs if not p.startswith(_EXITS)),
            *([f"```\n{command.examples}\n```\n"] if command.examples else []),
            f"{_EXITS}{said}.\n",
            *_list_parameters(command, name),
        ]
    )


def _unbrace(piece: str) -> str:
    """Return a part of a usage line as the documents write it: `VERSION`, not `{VERSION}`."""
    return piece.replace("{", "").replace("}", "").upper()


def _list_parameters(command: Any, name: str) -> Iterator[str]:
    context = command.make_context(name, [], resilient_parsing=True)
    records = [p.get_help_record(context) for p in command.params]
    rows = [describe_parameter(*record) for record in records if record is not None]
    if rows:
        yield _table(("option", "default", "meaning"), rows)


def describe_parameter(names: str, text: str) -> tuple[str, str, str]:
    """Return the row of an argument or option: its names, its default, and its meaning."""
    match = _DEFAULT.search(text)
    notes = match[1].split("; ") if match else []
    meaning = text[: match.start()] if match else text
    defaults = [note.removeprefix("default: ") for note in notes if note.startswith("default: ")]
    default = "required" if "required" in notes else "".join(map(_name_default, defaults))
    extra = [_explain(n) for n in notes if n != "required" and not n.startswith("default: ")]
    return f"`{_name_values(names)}`", default, " ".join([meaning, *extra])


def _name_values(names: str) -> str:
    """Return `--port N` for `--port <int range>`, and `VERSION` for `version <str>`."""
    options, _, kind = names.partition(" <")
    kind = re.sub(r" range|list|[\[\]>]", "", kind)
    if not options.startswith("-"):
        return options.upper()
    return f"{options} {_PLACEHOLDERS.get(kind, kind)}".rstrip()


def _name_default(default: str) -> str:
    return f"`--{default}`" if default.startswith("no-") else f"`{default}`"


def _explain(note: str) -> str:
    """Return a note of the help as a sentence: a bound, or the variable that is read instead."""
    if note.startswith("env var: "):
        return f"(Or the variable `{note.removeprefix('env var: ')}`.)"
    least, _, most = re.sub(r"x>=(.*)", r"\1<=x", note).partition("<=x")
    bound = f"From {least} to {most.removeprefix('<=')}" if most else f"At least {least}"
    return f"{bound}."


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    return "".join(f"| {' | '.join(map(_in_cell, cells))} |\n" for cells in lines)


def _in_cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")
