"""Print on terminals and into pipes whose encoding is not UTF-8, without an error."""

import codecs
import io
import sys
from typing import TextIO

_ERRORS = "isshoni.plain"
"""The name under which the replacement is registered with Python's codecs."""
_PLAIN = {
    "–": "-", "—": "-", "‑": "-", "…": "...", "·": "*", "•": "*", "→": "->", "↩": "<-",
    "✓": "+", "✗": "x", "●": "*", "○": "o", "▇": "#", "│": "|", "≤": "<=", "≥": ">=", "×": "x",
}  # fmt: skip
"""What is printed instead of characters of our own output that an encoding lacks."""


def allow_any_encoding() -> None:
    """Replace what the encoding of standard output or error lacks, instead of failing."""
    codecs.register_error(_ERRORS, _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)


def can_encode(text: str, stream: TextIO | None) -> bool:
    """True if a stream's encoding has every character of a text."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _replace(fault: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(fault, UnicodeEncodeError):
        raise fault
    wrong = fault.object[fault.start : fault.end]
    return "".join(_PLAIN.get(sign, "?") for sign in wrong), fault.end
