"""Asking a program over HTTP whether it is ready."""

from isshoni.environments.http import NoAnswer, ask

_TIMEOUT_SECONDS = 2.0


async def answers_ok(url: str) -> bool:
    """Say whether a GET of `url` is answered with success."""
    try:
        return (await ask(url, timeout_seconds=_TIMEOUT_SECONDS)).is_success
    except NoAnswer:
        return False
