"""The part of Envoy's routes for Socket.IO by long polling: one client's requests share a slot.

An Engine.IO session is in the memory of the program that began it, and each of its requests is
one of its own, so weights alone would split it during a canary. The answer to its first request
sets a cookie with the slot; requests that name a session go to the slot of their cookie. A client
without cookies follows the weights.

What a client sends goes by the relay, as its WebSocket later does: with the default transports
the packets that join namespaces come before the upgrade, and a move has to repeat them.
"""

from collections.abc import Collection
from typing import Any

from isshoni.environments.local.envoy_doors import ENGINE_IO, door_of
from isshoni.rollout.model import COLOURS, Colour

COOKIE = "isshoni_slot"
SENDS = {"name": ":method", "string_match": {"exact": "POST"}}
_IN_SESSION = [*ENGINE_IO, {"name": "sid", "present_match": True}]

Json = dict[str, Any]


def list_sticky(upgrade: Json, doors: Collection[Colour]) -> list[tuple[Json, Json]]:
    """Return an action and a match for the sessions of each slot, what the relay has first."""
    found: list[tuple[Json, Json]] = []
    for colour in COLOURS:
        match = {"query_parameters": _IN_SESSION, "headers": [_cookie(colour)]}
        by_door = door_of(colour) if colour in doors else colour
        found += [
            ({"cluster": by_door}, {**match, "headers": [upgrade, _cookie(colour)]}),
            ({"cluster": by_door}, {**match, "headers": [SENDS, _cookie(colour)]}),
            ({"cluster": colour}, match),
        ]
    return found


def match_sends() -> Json:
    """Return the match of what a client without a cookie sends in its session."""
    return {"query_parameters": _IN_SESSION, "headers": [SENDS]}


def set_cookie() -> Json:
    """Return the header by which a client's later requests come to the same slot."""
    value = f"{COOKIE}=%UPSTREAM_METADATA(isshoni:colour)%; Path=/; HttpOnly; SameSite=Lax"
    return {
        "header": {"key": "set-cookie", "value": value},
        "append_action": "APPEND_IF_EXISTS_OR_ADD",
    }


def _cookie(colour: Colour) -> Json:
    pattern = rf"(.*;\s*)?{COOKIE}={colour}(;.*)?"
    return {"name": "cookie", "string_match": {"safe_regex": {"regex": pattern}}}
