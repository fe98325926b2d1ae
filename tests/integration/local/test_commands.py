"""The commands on a real environment: what they print, what they change, and how they exit."""

import asyncio
import hashlib
import os
import pty
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from isshoni.environments.local.supervision import supervisor_pid
from isshoni.errors import ExitCode
from tests.support.command import Command, command, finish
from tests.support.local_environments import kill, slot_release

_LIVE = ("logs", "observed", "redis", "locks")
"""Directories that running programs write."""


@pytest.fixture(scope="module")
def isshoni() -> Iterator[Command]:
    """An environment that is up, with two versions in its history."""
    with command() as made:
        made.configure(require_traffic=False)
        program = slot_release("v1").command or ""
        for words in (("up", "v1"), ("deploy", "v2")):
            ended = asyncio.run(made.run(*words, "--command", program))
            assert ended.code == 0, ended.err
        yield made
        asyncio.run(made.run("down"))


def hash_state(state_dir: Path) -> dict[str, str]:
    """Return a hash of each file that no running program writes, and of the journal's rows."""
    files = [
        path
        for path in sorted(state_dir.rglob("*"))
        if path.is_file() and path.relative_to(state_dir).parts[0] not in _LIVE
    ]
    hashes = {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if not path.name.startswith("journal.sqlite")
    }
    with sqlite3.connect(f"file:{state_dir}/journal.sqlite?mode=ro", uri=True) as journal:
        return {**hashes, "journal": "\n".join(journal.iterdump())}


async def test_status_is_up_without_a_supervisor_and_says_what_is_wrong(isshoni: Command) -> None:
    supervisor = supervisor_pid(isshoni.state_dir)
    assert supervisor is not None
    kill(supervisor)
    ended = await isshoni.run("status", "--json")
    assert (ended.code, ended.json["up"]) == (0, True)
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{ended.json['address']}/readyz")).status_code == 200
    assert ended.json["troubles"][0].startswith("no supervisor is running")
    shown = await isshoni.run("status")
    assert " is up\n" in shown.out and "no supervisor is running" in shown.out
    repaired = await isshoni.run("up")
    assert repaired.code == 0, repaired.err
    assert (await isshoni.status())["troubles"] == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("up",), 0),
        (("deploy", "v3"), 0),
        (("rollback",), 0),
        (("rollback", "--to", "v1"), 0),
        (("abort",), ExitCode.REFUSED),
        (("pause",), ExitCode.REFUSED),
        (("resume",), ExitCode.REFUSED),
        (("promote", "--skip-bake"), ExitCode.REFUSED),
        (("attend",), ExitCode.REFUSED),
        (("evacuate", "green-0", "--undo"), 0),
        (("rebalance",), 0),
        (("doctor", "--fix"), 0),
        (("down",), 0),
        (("down", "--purge"), 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
async def test_dry_run_changes_nothing_and_prints_json(
    isshoni: Command, words: tuple[str, ...], code: int
) -> None:
    before = hash_state(isshoni.state_dir)
    said, ended = await asyncio.gather(
        isshoni.run(*words, "--dry-run"), isshoni.run(*words, "--dry-run", "--json")
    )
    assert (said.code, ended.code) == (code, code), said.err + ended.err
    assert hash_state(isshoni.state_dir) == before
    if code == 0:
        assert said.out and ended.json


@pytest.mark.parametrize(
    "words", [("plan", "-n", "10"), ("deploy", "v3", "--dry-run")], ids=" ".join
)
async def test_a_plan_says_what_cannot_be_moved_and_what_a_rollback_starts(
    isshoni: Command, words: tuple[str, ...]
) -> None:
    said, ended = await asyncio.gather(isshoni.run(*words), isshoni.run(*words, "--json"))
    assert "What cannot be moved" in said.out and "do not know `migrate`" in said.out
    assert "files as they are then" in said.out.replace("\n", " ")
    assert ended.json["cannot_be_moved"] and "v2 is only a label" in ended.json["rollback"]


async def test_a_dry_run_of_up_does_not_create_an_environment(tmp_path: Path) -> None:
    with command() as isshoni:
        isshoni.state_dir.rmdir()
        ended = await isshoni.run("up", "v1", "--dry-run")
        assert ended.code == 0, ended.err
        assert "would bring up v1 on blue" in ended.out and "any free port" in ended.out
        assert not isshoni.state_dir.exists()


@pytest.mark.parametrize("words", ["logs balancer --follow", "status --watch"])
async def test_what_follows_ends_when_its_pipe_is_closed(isshoni: Command, words: str) -> None:
    async with asyncio.timeout(60):
        piped = await finish(
            await isshoni.start(*words.split(), shell="{} | head -1; exit ${PIPESTATUS[0]}")
        )
    assert piped.code == ExitCode.OUTPUT_CLOSED, piped.err
    assert "Traceback" not in piped.err


async def test_purge_is_refused_without_a_terminal(isshoni: Command) -> None:
    before = hash_state(isshoni.state_dir)
    ended = await isshoni.run("down", "--purge")
    assert ended.code == ExitCode.REFUSED
    assert str(isshoni.state_dir) in ended.err and "--yes" in ended.err
    assert "the history of 1 rollout" in ended.err and "all sessions" in ended.err
    assert hash_state(isshoni.state_dir) == before
    assert (await isshoni.status())["up"]


def answer(isshoni: Command, line: bytes) -> tuple[int, str]:
    """Run `down --purge` on a terminal, and answer its question."""
    ours, theirs = pty.openpty()
    environ = {"ISSHONI_CONFIG": str(isshoni.config_file)}
    environ["ISSHONI_STATE_DIR"] = str(isshoni.state_dir)
    os.write(ours, line)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "isshoni.cli", "down", "--purge"], stdin=theirs,
            env={**os.environ, **environ}, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    finally:
        os.close(ours)
        os.close(theirs)
    return done.returncode, done.stderr


def test_purge_asks_on_a_terminal_and_deletes_only_after_a_yes() -> None:
    with command() as isshoni:
        asyncio.run(isshoni.run("history"))  # creates the journal
        code, said = answer(isshoni, b"\n")
        assert (code, isshoni.state_dir.exists()) == (ExitCode.REFUSED, True), said
        assert "Delete it? [y/N]" in said and "nothing was changed" in said
        code, said = answer(isshoni, b"y\n")
        assert (code, isshoni.state_dir.exists()) == (0, False), said


async def test_purge_with_yes_does_not_ask() -> None:
    with command() as isshoni:
        ended = await isshoni.run("down", "--purge", "--yes", "--json")
        assert (ended.code, ended.json["purge"]) == (0, True), ended.err
        assert not isshoni.state_dir.exists()


async def test_commands_on_a_stopped_environment_name_up_and_begin_nothing() -> None:
    with command() as isshoni:
        isshoni.configure()
        program = slot_release("v1").command or ""
        assert (await isshoni.run("up", "v1", "--command", program)).code == 0
        assert (await isshoni.run("down")).code == 0
        for words in ("deploy v2", "rollback", "abort", "rebalance", "evacuate blue-0", "verify"):
            ended = await isshoni.run(*words.split())
            assert ended.code == ExitCode.ENVIRONMENT, (words, ended.out)
            assert "is stopped: start it with `isshoni up`" in ended.err, words
        assert (await isshoni.run("history", "--json")).json == []
