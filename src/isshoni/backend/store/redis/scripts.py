"""The Lua scripts of lua/, each with the common lines before its own."""

import math
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from isshoni.backend.store.redis.link import Script

_PACKAGE = "isshoni.backend.store.redis"
# The first line makes Redis refuse the whole script, before it has written anything,
# when it is out of memory; without it, it would stop at some write in the middle.
_SHEBANG = b"#!lua\n"
# For scripts that free memory, or put back entries that Redis had before.
_SHEBANG_WHEN_FULL = b"#!lua flags=allow-oom\n"


_REQUEST_SECONDS = 10.0
"""How long a request by HTTP waits until this region may write."""


def _load(
    name: str,
    *,
    when_full: bool = False,
    wrote: Callable[[Any], bool] = bool,
    wait_seconds: float = 0.0,
) -> Script:
    directory = files(_PACKAGE) / "lua"
    common = (directory / "session.lua").read_bytes()
    shebang = _SHEBANG_WHEN_FULL if when_full else _SHEBANG
    own = (directory / f"{name}.lua").read_bytes()
    return Script(shebang + common + own, wrote, wait_seconds)


def _load_alone(name: str) -> Script:
    """Load a script that is not about one session, without the common lines."""
    return Script(_SHEBANG_WHEN_FULL + (files(_PACKAGE) / "lua" / f"{name}.lua").read_bytes())


OPEN_SESSION = _load("open_session")
APPENDED, DUPLICATE, GAP, BEHIND = range(4)
"""The verdicts of `APPEND_CHATS`, each before its number."""
APPEND_CHATS = _load(
    "append_chats",
    wrote=lambda reply: any(verdict <= DUPLICATE for verdict in reply[::2]),
    wait_seconds=math.inf,
)
APPEND_CANVAS = _load("append_canvas", wait_seconds=math.inf)
COMPACT_CANVAS = _load("compact_canvas", when_full=True)
REFILL_CHAT = _load("refill_chat", when_full=True)
MEND_CHAT = _load("mend_chat", when_full=True)
MERGE_CHAT = _load("merge_chat", when_full=True)
REWRITE_CHAT = _load("rewrite_chat")
DELETE_SESSION = _load("delete_session", when_full=True, wait_seconds=_REQUEST_SECONDS)
KEEP_FILE = _load(
    "keep_file",
    wrote=lambda reply: reply in (b"kept", b"present"),
    wait_seconds=_REQUEST_SECONDS,
)
REWRITE_FILE = _load("rewrite_file")
RECORD_USE = _load("record_use", when_full=True)
EXPIRE_SESSION = _load(
    "expire_session", when_full=True, wrote=lambda reply: reply in (b"expired", b"open")
)
BEGIN_SWEEP = _load_alone("begin_sweep")
SET_REGION = _load_alone("set_region")
STAMP_REGION = _load_alone("stamp_region")
BEAT_REGION = _load_alone("beat_region")
