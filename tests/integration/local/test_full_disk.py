"""A full disk: what reads and what stops still works, and every error names the disk."""

import asyncio
import contextlib
import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from isshoni.environments.disk import describe_os_error
from isshoni.errors import ExitCode
from tests.support.command import Command
from tests.support.local_environments import kill_everything, slot_release

_MIB = 1 << 20


@contextlib.contextmanager
def small_disk() -> Iterator[Path]:
    """Mount a file system of 24 MiB."""
    with tempfile.TemporaryDirectory(prefix="isshoni-") as name:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", name],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if mounted.returncode != 0:
            pytest.skip(f"NOT RUN: needs the right to mount a file system ({mounted.stderr})")
        try:
            yield Path(name)
        finally:
            kill_everything(Path(name) / "state")
            subprocess.run(["umount", "--lazy", name], check=True)


def fill(disk: Path) -> None:
    """Write a file until there is no room left."""
    with contextlib.suppress(OSError), (disk / "fill").open("wb", buffering=0) as file:
        size = _MIB
        while size:
            try:
                file.write(b"\0" * size)
            except OSError:
                size //= 2


@pytest.fixture(scope="module")
def isshoni() -> Iterator[Command]:
    """An environment that is up, whose disk is full since."""
    with small_disk() as disk:
        made = Command(disk)
        up = asyncio.run(made.run("up", "v1", "--command", slot_release("v1").command or ""))
        assert up.code == 0, up.err
        fill(disk)
        yield made


@pytest.mark.parametrize(
    "words",
    [
        ("status",), ("status", "--json"), ("history",), ("history", "--json"),
        ("logs", "blue"), ("logs", "supervisor"), ("down", "--dry-run"),
    ],
    ids=" ".join,
)  # fmt: skip
async def test_what_reads_works_and_names_the_disk(
    isshoni: Command, words: tuple[str, ...]
) -> None:
    ended = await isshoni.run(*words)
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err
    assert "0 MiB are free on its disk" in ended.err.replace("\n", " ")


@pytest.mark.parametrize("words", [("deploy", "v2"), ("rebalance",)], ids=" ".join)
async def test_what_would_write_is_an_error_that_names_the_disk(
    isshoni: Command, words: tuple[str, ...]
) -> None:
    ended = await isshoni.run(*words)
    assert ended.code == ExitCode.ENVIRONMENT
    assert "Traceback" not in ended.err
    last = ended.err.splitlines()[-1]
    assert "its disk" in last and "0 MiB" in last


async def test_down_stops_everything_and_the_next_up_names_the_disk() -> None:
    with small_disk() as disk:
        isshoni = Command(disk)
        program = slot_release("v1").command or ""
        up = await isshoni.run("up", "v1", "--command", program)
        assert up.code == 0, up.err
        fill(disk)
        down = await isshoni.run("down")
        assert down.code == 0, down.err
        assert (await isshoni.run("status")).code == ExitCode.ENVIRONMENT
        refused = await isshoni.run("up")
        assert refused.code == ExitCode.ENVIRONMENT
        assert "No space left on device" in refused.err and "Traceback" not in refused.err
        (disk / "fill").unlink()
        again = await isshoni.run("up")
        assert again.code == 0, again.err
        assert (await isshoni.run("down")).code == 0


def test_a_file_that_reaches_a_limit_is_one_sentence(tmp_path: Path) -> None:
    program = "from isshoni.cli import main; main.app = lambda: {}; main.main()"
    write = f"open({str(tmp_path / 'file')!r}, 'wb', buffering=0).write(b'0' * 5000)"
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); "
    done = subprocess.run(
        [sys.executable, "-c", limit + program.format(write)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == ExitCode.ENVIRONMENT
    assert "File too large" in done.stderr and "MiB free" in done.stderr
    assert "Traceback" not in done.stderr


def test_other_errors_of_files_are_as_the_system_names_them(tmp_path: Path) -> None:
    fault = PermissionError(errno.EACCES, os.strerror(errno.EACCES), "x")
    assert describe_os_error(fault, tmp_path) == str(fault)
