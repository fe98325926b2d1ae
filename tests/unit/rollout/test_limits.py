"""Which connections a deploy cannot move, and what a rollback to a label starts."""

from dataclasses import replace

import pytest

from isshoni.rollout.limits import describe_other_program, describe_return, list_unmovable
from isshoni.rollout.model import Relaying, Release

CHAT = Release("v1", command="uvicorn app:app --port {port}")
RELAYED = replace(CHAT, relay=Relaying())


def said(release: Release) -> str:
    return "\n".join(list_unmovable("green", release, 300.0))


def test_a_program_without_a_relay_keeps_its_websockets() -> None:
    assert "all WebSockets of v1 on green: they go straight to the program" in said(CHAT)
    assert "at most 300 s" in said(CHAT)


def test_clients_of_isshoni_that_do_not_know_migrate_are_named() -> None:
    assert "do not know `migrate`" in said(Release("v1"))


@pytest.mark.parametrize(
    ("relay", "words"),
    [
        (Relaying(profile="socket.io"), "Socket.IO clients of v1 on green that poll"),
        (Relaying(profile="auto"), "Socket.IO clients of v1 on green that poll"),
        (Relaying(profile="plain"), "`preamble_messages`"),
        (Relaying(new_sockets=False), "since `relay = false`"),
        (Relaying(), "server-sent events and long HTTP answers"),
    ],
)
def test_what_a_profile_cannot_move_is_named(relay: Relaying, words: str) -> None:
    assert words in said(replace(CHAT, relay=relay))


def test_a_profile_is_not_blamed_for_what_it_can() -> None:
    assert "poll" not in said(replace(CHAT, relay=Relaying(profile="yjs")))
    plain = Relaying(profile="plain", preamble_messages=1)
    assert "preamble" not in said(replace(CHAT, relay=plain))


def test_a_rollback_to_a_bare_label_starts_what_is_there_then() -> None:
    assert "files as they are then" in str(describe_return(RELAYED))
    assert "the Isshoni that is installed then" in str(describe_return(Release("v1")))
    assert describe_return(replace(CHAT, source="git:main")) is None


def test_a_deploy_that_replaces_a_program_by_isshoni_itself_is_warned_of() -> None:
    assert "`uvicorn app:app --port {port}`" in str(describe_other_program(Release("v2"), CHAT))
    assert "is Isshoni's own program, but" in str(describe_other_program(CHAT, Release("v2")))


def test_a_deploy_of_the_same_kind_of_program_has_no_warning() -> None:
    assert describe_other_program(Release("v2"), Release("v1")) is None
    assert describe_other_program(replace(CHAT, command="node server.js {port}"), CHAT) is None
