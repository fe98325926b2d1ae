r"""Read environment variables: of options like `NAME=VALUE`, and of files in dotenv syntax.

A file has a variable a line: `NAME=VALUE`, also after `export`. A value may stand in quotes. In
double quotes `\n`, `\t`, `\"`, `\\` and `\$` are escapes; in single quotes nothing is. A quoted
value may have several lines. ` #` begins a comment. Nothing is substituted.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import typer

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BEGIN = re.compile(r"[ \t]*(?:export[ \t]+)?([^=\s#]*)[ \t]*(=?)[ \t]*")
_QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'([^']*)'", re.DOTALL)
_REST = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|$)")
_PLAIN = re.compile(r"[^\n]*(?:\n|$)")
_COMMENT = re.compile(r"(?:^|[ \t])#.*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "$": "$", "\n": ""}


class EnvFileFault(ValueError):
    """A file of variables is wrong; the message says in which line."""


def find_variable_fault(name: str, value: str) -> str | None:
    """Return why a variable cannot be set; None if it can. The value is never part of it."""
    if not _NAME.fullmatch(name):
        return f"{name!r} is not a name of a variable: use letters, digits and _, no digit first"
    if "\0" in value:
        return f"the value of {name} has a zero byte"
    return None


def parse_variable(text: str) -> tuple[str, str]:
    """Return name and value of `NAME=VALUE`; raises `BadParameter`."""
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(
            f"{name!r} has no value: write NAME=VALUE. (Programs of a --command have the "
            "variables of this shell anyway.)",
            param_hint="--env",
        )
    if fault := find_variable_fault(name, value):
        raise typer.BadParameter(fault, param_hint="--env")
    return name, value


def read_env_file(path: Path) -> dict[str, str]:
    """Return the variables of a file; raises `BadParameter` with the line of the first fault."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as fault:
        words = f"{path} cannot be read: {fault.strerror}"
        raise typer.BadParameter(words, param_hint="--env-file") from None
    except UnicodeDecodeError as fault:
        words = f"{path} is not UTF-8 text: {fault.reason} at byte {fault.start}"
        raise typer.BadParameter(words, param_hint="--env-file") from None
    try:
        return parse_env(text)
    except EnvFileFault as fault:
        raise typer.BadParameter(f"{path}, {fault}", param_hint="--env-file") from None


def parse_env(text: str) -> dict[str, str]:
    """Return the variables of a text in dotenv syntax; raises `EnvFileFault`."""
    return dict(_read_variables(text.replace("\r\n", "\n")))


def _read_variables(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        line = text.count("\n", 0, at) + 1
        blank = _REST.match(text, at)
        if blank is not None and blank.end() > at:
            at = blank.end()
            continue
        begin = _BEGIN.match(text, at)
        assert begin is not None  # it matches nothing, too
        name, equals = begin.groups()
        if not equals:
            raise EnvFileFault(f"line {line}: there is no `=`; write NAME=VALUE")
        value, at = _read_value(text, begin.end(), line)
        if fault := find_variable_fault(name, value):
            raise EnvFileFault(f"line {line}: {fault}")
        yield name, value


def _read_value(text: str, at: int, line: int) -> tuple[str, int]:
    """Return a value, and where the next line begins."""
    if text[at : at + 1] not in ('"', "'"):
        plain = _PLAIN.match(text, at)
        assert plain is not None
        return _COMMENT.sub("", plain[0].rstrip("\n")).strip(), max(plain.end(), at + 1)
    quoted = _QUOTED.match(text, at)
    if quoted is None:
        raise EnvFileFault(f"line {line}: the quote {text[at]} has no end")
    rest = _REST.match(text, quoted.end())
    if rest is None:
        raise EnvFileFault(f"line {line}: there is more text after the closing quote")
    if quoted[2] is not None:
        return quoted[2], rest.end()
    return _ESCAPE.sub(lambda it: _ESCAPES.get(it[1], it[0]), quoted[1]), rest.end()
