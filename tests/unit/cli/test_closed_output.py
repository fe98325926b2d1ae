"""A command whose output is a pipe that was closed ends like any other program."""

import os
import subprocess
import sys

import pytest

from isshoni.errors import ExitCode


def run_with_closed_output(*words: str) -> tuple[int, str]:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "isshoni.cli", *words],
            stdout=writing, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    finally:
        os.close(writing)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "words",
    [("--help",), ("--version",), ("plan", "-n", "1000"), ("plan", "-n", "1000", "--json")],
    ids=" ".join,
)
def test_a_closed_pipe_ends_it_with_141_and_no_message(words: tuple[str, ...]) -> None:
    assert run_with_closed_output(*words) == (ExitCode.OUTPUT_CLOSED, "")


def test_an_error_is_still_an_error(tmp_path: object) -> None:
    code, said = run_with_closed_output("--config", f"{tmp_path}/none.toml", "plan", "-n", "1")
    assert code == ExitCode.CONFIG
    assert "none.toml" in said


def test_a_command_without_any_output_stream_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import os, sys; os.close(1); os.execv(sys.executable, "
         "[sys.executable, '-m', 'isshoni.cli', 'plan', '-n', '1'])"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
