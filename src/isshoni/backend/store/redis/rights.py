"""Find the ACL rule that a Redis user lacks, from the error of a refused command."""

import re

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.store.redis import scripts
from isshoni.backend.store.redis.link import Script

_COMMAND = re.compile(r"to run the '([^']+)' command")
_SCRIPT_LINE = re.compile(r"script: ([0-9a-f]{40}), on @user_script:(\d+)")
_CALL = re.compile(rb"redis\.call\('(\w+)'")
_SCRIPT_REFUSALS = ("can't run this command", "ACL failure in script")


def is_refusal_of_right(fault: BaseException) -> bool:
    """True if Redis refused because of its ACL, directly or inside a script."""
    text = str(fault)
    return "NOPERM" in text or any(
        words in text for words in (*_SCRIPT_REFUSALS, "The user executing the script")
    )


def find_missing_rule(fault: BaseException) -> str | None:
    """Return the ACL rule that would allow it; None if the error does not name it."""
    text = str(fault)
    if not is_refusal_of_right(fault):
        return None
    if named := _COMMAND.search(text):
        return f"+{named[1]}"
    if "channel" in text:
        return "&*"
    if "key" in text:
        return "~*"
    command = _find_command(text)
    return f"+{command}" if command else None


def explain(fault: StoreUnavailable) -> str:
    """Return the fault's text, and for a missing right the ACL rule to add."""
    rule = find_missing_rule(fault)
    if rule is None:
        return str(fault)
    return f"{fault} (give the user of REDIS_URL {rule}; docs/redis.md lists every right it needs)"


def _find_command(text: str) -> str | None:
    # Redis 7.0 names the line of the script instead of the command.
    place = _SCRIPT_LINE.search(text)
    if place is None:
        return None
    all_scripts = (value for value in vars(scripts).values() if isinstance(value, Script))
    source = next((one.source for one in all_scripts if one.sha == place[1].encode()), b"")
    lines = source.split(b"\n")
    number = int(place[2])
    called = _CALL.search(lines[number - 1]) if 0 < number <= len(lines) else None
    return called[1].decode().lower() if called else None
