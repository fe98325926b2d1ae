"""Readiness: proven by what clients do, shared, and told once when it changes."""

import asyncio
import logging

import pytest

from isshoni.backend.errors import StoreUnavailable
from isshoni.backend.health.health import Health
from isshoni.backend.health.readiness_log import ReadinessLog
from isshoni.backend.health.rehearsal import EVERY_SECONDS, Rehearsed, Stage, rehearse
from isshoni.backend.store.redis.link import ErrorReply
from isshoni.backend.store.redis.rights import explain, find_missing_rule
from isshoni.backend.store.redis.scripts import OPEN_SESSION
from tests.support.fake_store import FakeServer, FakeSessionStore

STEPS = {
    "subscribe": "subscribe",
    "lend_session": "open a session",
    "read_recent_chat": "restore a session",
    "append_chat": "write a message",
    "append_canvas": "draw",
    "publish_awareness": "publish awareness",
    "erase_session": "delete a session",
}


def make_health(store: FakeSessionStore) -> Health:
    return Health(store, lambda: False, lambda: True)


async def test_a_rehearsal_leaves_nothing_behind_and_is_no_session() -> None:
    store = FakeSessionStore()
    seen: list[str] = []
    append = store.append_chat

    async def append_chat(*arguments: object, **options: object) -> object:
        seen.extend(await store.sample_sessions(10))
        return await append(*arguments, **options)  # type: ignore[arg-type]

    store.append_chat = append_chat  # type: ignore[assignment,method-assign]
    assert await rehearse(store) == Rehearsed()
    assert seen == []
    assert store.server.sessions == {}


@pytest.mark.parametrize("method", STEPS)
async def test_whatever_a_client_needs_and_redis_refuses_makes_unready_and_is_named(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise ErrorReply("NOPERM User u has no permissions to run the 'time' command")

    store = FakeSessionStore()
    monkeypatch.setattr(store, method, refuse)
    health = make_health(store)
    readiness = await health.check()
    assert not readiness.ready
    assert STEPS[method] in (readiness.reason or "")
    assert "+time" in (readiness.reason or "")
    proof = await health.prove()
    assert not proof.redis
    assert STEPS[method] in (proof.fault or "")


async def test_a_message_that_is_never_heard_makes_unready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isshoni.backend.health.rehearsal.HEAR_SECONDS", 0.05)
    store = FakeSessionStore()
    monkeypatch.setattr(store, "hear", lambda *_: None)
    readiness = await make_health(store).check()
    assert not readiness.ready
    assert "receive a message" in (readiness.reason or "")


@pytest.mark.parametrize("code", ["OOM", "NOREPLICAS", "MISCONF"])
async def test_a_redis_that_only_takes_no_writes_still_serves_who_reads(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise ErrorReply(f"{code} not now")

    store = FakeSessionStore()
    for method in ("probe", "lend_session"):
        monkeypatch.setattr(store, method, refuse)
    health = make_health(store)
    readiness = await health.check()
    assert readiness.ready
    assert code in (readiness.limit or "")
    proof = await health.prove()
    assert not proof.redis, "nothing new is promoted on it"
    assert code in (proof.fault or "")


async def test_all_who_ask_share_one_rehearsal_and_it_is_seldom() -> None:
    played = 0
    now = 0.0

    async def play() -> Rehearsed:
        nonlocal played
        played += 1
        await asyncio.sleep(0)
        return Rehearsed()

    stage = Stage(play, lambda: now)
    await asyncio.gather(*(stage.find_last() for _ in range(5)), stage.rehearse_now())
    await stage.find_last()
    assert played == 1
    now = EVERY_SECONDS * 2
    assert await stage.find_last() == Rehearsed(), "nobody waits for one while all is well"
    await stage.rehearse_now()
    assert played == 2


async def test_a_doubted_redis_is_rehearsed_soon() -> None:
    outcomes = [Rehearsed(), Rehearsed("gone")]
    now = 0.0

    async def play() -> Rehearsed:
        return outcomes.pop(0)

    stage = Stage(play, lambda: now)
    await stage.rehearse_now()
    stage.doubt()
    now = 1.0
    await stage.find_last()
    await asyncio.sleep(0)
    assert stage.last == Rehearsed("gone")


async def test_a_rehearsal_that_breaks_is_a_fault_and_not_the_end_of_rehearsals() -> None:
    outcomes = iter([RuntimeError("ours"), None])

    async def play() -> Rehearsed:
        fault = next(outcomes)
        if fault:
            raise fault
        return Rehearsed()

    now = 0.0
    stage = Stage(play, lambda: now)
    assert "ours" in ((await stage.find_last()).fault or "")
    now = 10.0
    assert await stage.find_last() == Rehearsed()


async def test_a_redis_that_comes_back_makes_ready_at_the_next_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("isshoni.backend.health.health.CACHE_SECONDS", -1.0)
    monkeypatch.setattr("isshoni.backend.health.rehearsal.RETRY_SECONDS", 0.0)
    store = FakeSessionStore(FakeServer())
    health = make_health(store)
    assert (await health.check()).ready
    store.fail()
    assert not (await health.check()).ready
    store.recover()
    assert (await health.check()).ready


def test_a_refusal_is_explained_by_the_rule_that_is_missing() -> None:
    line = OPEN_SESSION.source.split(b"\n").index(b"  local time = redis.call('TIME')") + 1
    old = (
        "ERR The user executing the script can't run this command or subcommand script: "
        f"{OPEN_SESSION.sha.decode()}, on @user_script:{line}."
    )
    assert find_missing_rule(ErrorReply(old)) == "+time"
    rules = {
        "NOPERM User u has no permissions to run the 'cluster|slots' command": "+cluster|slots",
        "NOPERM this user has no permissions to run the 'wait' command": "+wait",
        "ERR ACL failure in script: No permissions to access a channel script: on x:1.": "&*",
        "NOPERM No permissions to access a key": "~*",
        "NOPERM this user has no permissions to access one of the keys used": "~*",
        "OOM command not allowed when used memory > 'maxmemory'": None,
    }
    assert {words: find_missing_rule(ErrorReply(words)) for words in rules} == rules
    assert "docs/redis.md" in explain(ErrorReply("NOPERM No permissions to access a key"))
    assert explain(StoreUnavailable("it is gone")) == "it is gone"


def test_a_trouble_is_logged_when_it_begins_and_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 0.0
    log = ReadinessLog(lambda: now)
    caplog.set_level(logging.INFO, "isshoni.backend")
    log.note(None, None)
    for _ in range(70):
        log.note("Redis: no answer", None)
        now += 1
    log.note(None, "full")
    log.note(None, None)
    log.note(None, None, "0 of 1 replicas")
    log.note(None, None)
    events = [record.getMessage() for record in caplog.records]
    assert events == [
        'event=not_ready reason="Redis: no answer"',
        "event=ready_again after_seconds=70.000",
        "event=writes_refused reason=full",
        "event=writes_taken_again after_seconds=0.000",
        'event=replicas_missing reason="0 of 1 replicas"',
        "event=replicas_back after_seconds=0.000",
    ]


async def test_a_shortage_of_replicas_is_said_and_leaves_the_process_ready() -> None:
    store = FakeSessionStore()
    shortage: list[str | None] = ["0 of 1 replicas"]
    health = Health(store, lambda: False, lambda: True, lambda: shortage[0])
    found = await health.check()
    assert (found.ready, found.limit, found.shortage) == (True, None, "0 of 1 replicas")
    shortage[0] = None
    assert (await health.check()).shortage is None
