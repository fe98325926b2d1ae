"""The Lua scripts of lua/, each with the common lines before its own."""

from importlib.resources import files

from isshoni.backend.redis_link import Script

# The first line makes Redis refuse the whole script, before it has written anything,
# when it is out of memory; without it, it would stop at some write in the middle.
_SHEBANG = b"#!lua\n"


def _load(name: str) -> Script:
    directory = files("isshoni.backend") / "lua"
    common = (directory / "session.lua").read_bytes()
    return Script(_SHEBANG + common + (directory / f"{name}.lua").read_bytes())


OPEN_SESSION = _load("open_session")
APPEND_CHAT = _load("append_chat")
APPEND_CANVAS = _load("append_canvas")
COMPACT_CANVAS = _load("compact_canvas")
REFILL_CHAT = _load("refill_chat")
BEGIN_EPOCH = _load("begin_epoch")
REWRITE_CHAT = _load("rewrite_chat")
DELETE_SESSION = _load("delete_session")
KEEP_FILE = _load("keep_file")
REWRITE_FILE = _load("rewrite_file")
