"""Find words to replace, in a text."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

WORDS = {
    "people": "clients, connections, users or sessions",
    "everybody": "all clients, all sessions, all traffic",
    "nobody": "no client, no user, no connection",
    "somebody": "a client, a user",
    "whoever": "the client that, the one that",
    "told": "sent, named, logged",
    "anew": "again",
    "meanwhile": "while X happens",
    "thereof": "of it",
    "blip": "a short outage",
    "the reins": "controls",
    "the way back": "rollback",
    "the way there": "setup",
    "is it so that": "X",
    "it is tried to": "X tries to",
}
"""Each word, and what to write in its place."""
FIRST_WORDS = ("Give", "Say", "Tell", "Take", "Hold", "Note", "Hear", "Meet", "Put", "See")
"""A docstring starts with what is done: Return, True if, Send, Add, Remove, Handle, Raise."""

_ANY = "|".join(WORDS).replace(" ", r"\s+")
_WORD = re.compile(rf"(?<![A-Za-z])(?:{_ANY})(?![A-Za-z])", re.IGNORECASE)
_FIRST = "|".join(FIRST_WORDS)
_JSDOC = re.compile(rf"/\*\*[\s*]*({_FIRST})\b")
_PYTHON_DOC = re.compile(rf"({_FIRST})\b")


@dataclass(frozen=True)
class Hit:
    """One word to replace."""

    path: str
    line: int
    word: str
    context: str
    """The line that it is on."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.word!r} in: {self.context.strip()[:90]}"


def find_words(path: str, text: str) -> list[Hit]:
    """Return every word to replace in a file, by line."""
    found = [(match.start(), match[0]) for match in _WORD.finditer(text)]
    if path.endswith((".ts", ".tsx")):
        found += [(match.start(1), f"/** {match[1]}") for match in _JSDOC.finditer(text)]
    lines = text.splitlines()
    hits = []
    for offset, word in found:
        line = text.count("\n", 0, offset) + 1
        hits.append(Hit(path, line, word, lines[line - 1]))
    if path.endswith(".py"):
        hits += [
            Hit(path, line, f'"""{word}', lines[line - 1]) for line, word in _first_words(text)
        ]
    return sorted(hits, key=lambda hit: hit.line)


def _first_words(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the word of each docstring that starts with one of `FIRST_WORDS`."""
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
            and (match := _PYTHON_DOC.match(node.value.value.lstrip()))
        ):
            yield node.lineno, match[1]
