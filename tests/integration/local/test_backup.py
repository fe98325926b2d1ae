"""A backup that is made under load, and restored with the commands of docs/backup.md."""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tools.docs.markdown import find_code_blocks
from tools.docs.stage import ROOT

from isshoni.client import ChatEvent, ClientListener, SessionClient
from isshoni.environments.local.backup import write_backup
from isshoni.rollout.errors import EnvironmentFault
from tests.support.installation import CONFIG
from tests.support.local_environments import kill_everything
from tests.support.waiting import wait_until

SECONDS = 30


class Recorder(ClientListener):
    """Keeps the messages of a session, and the numbers of those that were acknowledged."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.acknowledged = 0

    def on_chat(self, event: ChatEvent, at: float) -> None:
        self.texts.append(event.text)

    def on_ack(self, n: int, seq: int | None, at: float) -> None:
        self.acknowledged = n


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory with an isshoni.toml, as an operator has it."""
    with tempfile.TemporaryDirectory(prefix="isshoni-") as name:
        path = Path(name)
        (path / "isshoni.toml").write_text(
            CONFIG.format(rollout="", local='redis_fsync = "everysec"')
        )
        try:
            yield path
        finally:
            kill_everything(path / ".isshoni")


def run(commands: str, directory: Path) -> str:
    """Run shell commands as an operator would, in the installation's directory."""
    environ = {k: v for k, v in os.environ.items() if k != "ISSHONI_STATE_DIR"}
    environ["PATH"] = f"{Path(sys.executable).parent}:{environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", commands],
        cwd=directory,
        env=environ,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def read_commands(heading: str) -> str:
    """Return the first block of commands below a heading of docs/backup.md."""
    section = (ROOT / "docs" / "backup.md").read_text().partition(f"\n## {heading}\n")[2]
    return find_code_blocks(section)[0].text


def find_url(printed: str) -> str:
    return printed.strip().rpartition(" ")[2].replace("http://", "ws://")


@contextlib.asynccontextmanager
async def writing(client: SessionClient) -> AsyncIterator[None]:
    """Send more messages while the block runs."""

    async def write() -> None:
        for number in range(30, 150):  # a newcomer is shown the last 200
            client.send_chat(f"m{number}")
            await asyncio.sleep(0.005)

    task = asyncio.create_task(write())
    try:
        yield
    finally:
        task.cancel()


async def test_a_restored_backup_has_all_that_was_acknowledged(directory: Path) -> None:
    url = find_url(await asyncio.to_thread(run, "isshoni up v1.0", directory))
    ann, late = Recorder(), Recorder()
    async with SessionClient(url, "s", listener=ann) as client:
        for number in range(30):
            client.send_chat(f"m{number}")
        client.draw("a", {"x": 1})
        assert await client.wait_until_saved(SECONDS)
        async with writing(client):
            acknowledged = ann.acknowledged
            await asyncio.to_thread(run, read_commands("Back up"), directory)
    assert acknowledged >= 30
    kill_everything(directory / ".isshoni")
    restored = await asyncio.to_thread(run, read_commands("Restore"), directory)
    shutil.rmtree(directory / ".isshoni.before")
    assert find_url(restored) == url
    assert "v1.0 is live" in restored
    async with SessionClient(url, "s", listener=late) as client:
        await wait_until(lambda: client.elements == {"a": {"x": 1}}, "the canvas is there")
        client.send_chat("new")
        assert await client.wait_until_saved(SECONDS)
    kept = late.texts[: late.texts.index("new")]
    assert len(kept) >= acknowledged
    assert kept == [f"m{number}" for number in range(len(kept))]


def test_a_journal_is_backed_up_with_what_is_in_its_wal(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.sqlite")) as journal:
        journal.execute("PRAGMA journal_mode = WAL")
        journal.execute("CREATE TABLE kept (x)")
        journal.execute("INSERT INTO kept VALUES (7)")
        journal.commit()
        write_backup(tmp_path, tmp_path / "b.tar.gz", own_redis=False)
    (tmp_path / "out").mkdir()
    with tarfile.open(tmp_path / "b.tar.gz") as archive:
        archive.extractall(tmp_path / "out", filter="data")
    with contextlib.closing(sqlite3.connect(tmp_path / "out" / "journal.sqlite")) as journal:
        assert journal.execute("SELECT x FROM kept").fetchall() == [(7,)]
    assert (tmp_path / "b.tar.gz").stat().st_mode & 0o077 == 0


def test_a_failed_backup_leaves_the_older_one(tmp_path: Path) -> None:
    (tmp_path / "b.tar.gz").write_bytes(b"older")
    with pytest.raises(EnvironmentFault, match="no backup was written"):
        write_backup(tmp_path, tmp_path / "b.tar.gz", own_redis=True)  # it has no Redis
    assert (tmp_path / "b.tar.gz").read_bytes() == b"older"
    assert [path.name for path in tmp_path.iterdir()] == ["b.tar.gz"]


def test_a_directory_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"there is no directory .*/nowhere"):
        write_backup(tmp_path, tmp_path / "nowhere" / "b.tar.gz", own_redis=False)


def test_a_file_that_a_rewrite_removed_is_looked_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "redis" / "appendonlydir"
    folder.mkdir(parents=True)
    manifest = folder / "appendonly.aof.manifest"
    manifest.write_text("file old seq 1 type b\n")

    def find_name(line: str) -> str:
        manifest.write_text("file new seq 2 type b\n")  # after it was read: Redis has rewritten it
        (folder / "new").write_text("content")
        return line.split(" ")[1]

    monkeypatch.setattr("isshoni.environments.local.backup._name_in", find_name)
    write_backup(tmp_path, tmp_path / "b.tar.gz", own_redis=True)
    with tarfile.open(tmp_path / "b.tar.gz") as archive:
        files = [Path(each.name).name for each in archive.getmembers() if each.isfile()]
    assert files == [manifest.name, "new"]
