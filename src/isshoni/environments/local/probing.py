"""Ask a program over HTTP whether it is ready."""

import msgspec

from isshoni.environments.http import Answer, NoAnswer, ask

_TIMEOUT_SECONDS = 2.0
_MOST_CHARACTERS = 400


class _Readiness(msgspec.Struct):
    reason: str | None = None


async def find_trouble(url: str) -> str | None:
    """Return the program's reason why a GET of `url` fails; None if it succeeds."""
    try:
        answer = await ask(url, timeout_seconds=_TIMEOUT_SECONDS)
    except NoAnswer as fault:
        return str(fault)
    return None if answer.is_success else _read_reason(answer)


async def answers_ok(url: str) -> bool:
    """True if a GET of `url` is answered with success."""
    return await find_trouble(url) is None


def _read_reason(answer: Answer) -> str:
    try:
        reason = msgspec.json.decode(answer.content, type=_Readiness).reason
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        reason = None
    words = "".join(c if c.isprintable() else " " for c in reason or "")[:_MOST_CHARACTERS]
    return words or f"it answers HTTP {answer.status}"
