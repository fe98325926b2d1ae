"""Output goes on to a log when its terminal or pipe is gone, and ends nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from pathlib import Path
from rich.console import Console
from isshoni.cli.lasting_output import lasting_output

console = Console(stderr=True)
with lasting_output(Path(sys.argv[1])) as output:
    print("begun", flush=True)
    sys.stdin.readline()
    console.print("[bold]to the error stream[/]")
    print("to the output stream")
    print("news:", output.take_news())
sys.exit(42)
"""


def start(state_dir: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(state_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    return process


def go_on(process: subprocess.Popen[str]) -> str:
    """Let it write and end; returns what still came out of standard output."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("go on\n")
    process.stdin.close()
    came = "" if process.stdout.closed else process.stdout.read()
    for pipe in (process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()
    assert process.wait(60) == 42
    return came


@pytest.mark.parametrize("how", ["hangup", "closed pipes"])
def test_output_to_a_closed_stream_continues_in_the_log(tmp_path: Path, how: str) -> None:
    process = start(tmp_path)
    if how == "hangup":
        os.kill(process.pid, signal.SIGHUP)
    for pipe in (process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()
    go_on(process)
    written = (tmp_path / "logs" / "engine.log").read_text()
    assert "to the error stream" in written and "to the output stream" in written
    assert f"news: {'the terminal was closed' if how == 'hangup' else 'standard'}" in written
    assert "the engine continues, and writes to" in written
    assert "\x1b" not in written


def test_one_closed_stream_does_not_redirect_the_other(tmp_path: Path) -> None:
    process = start(tmp_path)
    assert process.stderr is not None and process.stdout is not None
    process.stderr.close()
    assert "to the output stream" in go_on(process)
    assert "to the error stream" in (tmp_path / "logs" / "engine.log").read_text()


def test_a_log_that_cannot_be_written_loses_only_the_output(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    process = start(tmp_path)
    for pipe in (process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()
    go_on(process)


def test_nohup_is_left_alone(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = start(tmp_path)
    finally:
        signal.signal(signal.SIGHUP, before)
    os.kill(process.pid, signal.SIGHUP)
    assert "to the output stream" in go_on(process)
    assert not (tmp_path / "logs").exists()
