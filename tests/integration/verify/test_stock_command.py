"""`isshoni verify --client …` as an operator runs it: exit codes, output, Ctrl-C."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

from tests.support.waiting import wait_until

QUICK = ("--clients", "4", "--sessions", "2", "--seconds", "1", "--messages-per-second", "4")


@asynccontextmanager
async def echo() -> AsyncIterator[str]:
    """Run an application that answers each message; yields its address."""

    async def answer(member: ServerConnection) -> None:
        async for message in member:
            await member.send(message)

    async with serve(answer, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


async def start(directory: Path, *options: str) -> asyncio.subprocess.Process:
    """Start the command."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "isshoni.cli", "verify", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=directory,
        env=os.environ | {"ISSHONI_STATE_DIR": str(directory / "state")},
    )


async def verify(directory: Path, *options: str) -> Ended:
    """Run the command to its end."""
    process = await start(directory, *options)
    out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


async def test_a_command_runs_under_the_clients_and_its_output_and_end_are_shown(
    tmp_path: Path,
) -> None:
    async with echo() as address:
        during = "echo restarting; echo done >&2"
        ended = await verify(
            tmp_path,
            *("--client", "plain", "--url", f"{address}/{{room}}", "--during", during, *QUICK),
            *("--json", "-", "--html", "report.html"),
        )
    assert ended.code == 0, ended.err
    result = json.loads(ended.out)
    assert result["stock"]["reach"] == "its sender only"
    assert result["sla"]["met"]
    (command,) = result["deploys"]
    assert (command["version"], command["outcome"]) == (during, "exit code 0")
    assert "│ restarting" in ended.err
    assert "│ done" in ended.err
    assert "<html" in (tmp_path / "report.html").read_text()


async def test_a_command_that_fails_breaks_a_promise(tmp_path: Path) -> None:
    async with echo() as address:
        ended = await verify(
            tmp_path, "--client", "plain", "--url", address, "--during", "exit 3", *QUICK
        )
    assert ended.code == 1, ended.err
    assert "Command exit 3: exit code 3; promised: exit code 0." in " ".join(ended.out.split())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--client", "plain"], "--client plain needs --url"),
        (["--client", "plain", "--url", "http://h"], "'http://h' is no address"),
        (["--client", "yjs", "--url", "ws://h", "--clients", "1"], "use 2 or more"),
        (
            ["--client", "plain", "--url", "ws://h", "--messages-per-second", "0"],
            "sends nothing, so nothing could be lost",
        ),
        (["--deploy", "v1", "--during", "true"], "--deploy and --during exclude each other"),
        (["--join", "hello"], "--join belongs to --client"),
    ],
)
async def test_options_that_make_no_run_are_refused(
    tmp_path: Path, options: list[str], sentence: str
) -> None:
    ended = await verify(tmp_path, *options)
    assert ended.code == 2
    assert sentence in ended.err
    assert "Traceback" not in ended.err


async def test_ctrl_c_ends_the_command_and_the_clients(tmp_path: Path) -> None:
    running, back = tmp_path / "running", tmp_path / "back"
    during = f"trap 'touch {back}; exit 1' INT; touch {running}; while :; do sleep 0.05; done"
    async with echo() as address:
        process = await start(
            tmp_path, "--client", "plain", "--url", address, "--during", during, *QUICK
        )
        await wait_until(running.exists, "the command runs")
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 130, err
    assert back.exists()
    assert b"Traceback" not in err
    assert out == b""
