"""Find out, before a run, whether its address is one that users can connect to."""

import asyncio
import time
import uuid
from urllib.parse import urlsplit

from isshoni.errors import IsshoniError
from isshoni.verify.attribution import ProbeOutcome
from isshoni.verify.prober import probe
from isshoni.verify.settings import InvalidRun
from isshoni.verify.users import CLIENT_ID_PREFIX

FIRST_SECONDS = 5.0
"""If no client could connect so long after it began, the address is wrong or nothing listens."""
AGAIN_SECONDS = 0.25


class CannotConnect(IsshoniError):
    """No client could connect."""

    def __init__(self, url: str, seen: str) -> None:
        super().__init__(
            f"no client could connect to {url}: {seen}. Check that the application runs, and --url"
        )


async def check_reachable(
    url: str, token: str | None = None, *, patience_seconds: float = FIRST_SECONDS
) -> None:
    """Return once a session can be opened at `url`; raises `InvalidRun` or `CannotConnect`.

    The session is a new one. A server that answers, but cannot restore it now, is reachable: what
    its users meet then is for the run to judge.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise InvalidRun(f"--url {url!r} is no address of WebSockets: write ws://HOST:PORT")
    session_id = f"{CLIENT_ID_PREFIX}{uuid.uuid4().hex[:8]}"
    deadline = time.monotonic() + patience_seconds
    while True:
        outcome, detail = await probe(url, session_id, token)
        if outcome in (ProbeOutcome.RESTORED, ProbeOutcome.NOT_READY):
            return
        if time.monotonic() >= deadline:
            raise CannotConnect(url, f"{outcome} ({detail})" if detail else f"{outcome}")
        await asyncio.sleep(AGAIN_SECONDS)
