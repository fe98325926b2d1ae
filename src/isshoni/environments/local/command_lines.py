"""Fill in the command lines of programs; no shell is involved."""

import shlex
import string
from collections.abc import Mapping

from isshoni.environments.errors import ReleaseFault


def fill_template(template: str, values: Mapping[str, object]) -> list[str]:
    """Return a command line split into words, with the values of its placeholders.

    Raises `ReleaseFault` for an unknown placeholder.
    """
    try:
        words = shlex.split(template)
        for word in words:
            _check_placeholders(word, template, values)
    except ValueError as fault:
        raise ReleaseFault(f"command {template!r} cannot be read: {fault}") from None
    if not words:
        raise ReleaseFault("command is empty: give a program and its arguments")
    return [word.format_map(values) for word in words]


def _check_placeholders(word: str, command: str, values: Mapping[str, object]) -> None:
    for _, name, form, conversion in string.Formatter().parse(word):
        if name is not None and (name not in values or form or conversion):
            known = ", ".join(f"{{{known}}}" for known in values)
            raise ReleaseFault(
                f"command {command!r}: {{{name}}} is not one of {known}; "
                "write {{ and }} for plain braces"
            )
