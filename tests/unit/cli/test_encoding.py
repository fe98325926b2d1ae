"""A terminal or pipe that is not UTF-8 gets plain signs, never a traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ENCODINGS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "LANG=C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
PRINTING = """
from isshoni.cli import main, output
def print_some():
    output.console.print("✓ 채팅 – bad: \\udcff")
    output.progress.print("→ done · …")
    output.print_json({"label": "채팅 😀"})
main.app = print_some
main.main()
"""


def run(environ: dict[str, str], *command: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *command], env={**os.environ, **environ}, capture_output=True, check=False
    )


def write_program(directory: Path) -> str:
    path = directory / "printing.py"
    path.write_text(PRINTING, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("environ", ENCODINGS.values(), ids=ENCODINGS)
def test_signs_that_the_encoding_lacks_are_replaced(
    environ: dict[str, str], tmp_path: Path
) -> None:
    done = run(environ, write_program(tmp_path))
    said, _, document = done.stdout.decode("latin-1").partition("\n")
    assert said == "+ ?? - bad: ?"
    assert json.loads(document) == {"label": "채팅 😀"}
    assert done.stderr.decode("latin-1").startswith("-> done")
    assert done.returncode == 0


@pytest.mark.parametrize("environ", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize(
    "words", [("doctor",), ("deploy", "--help"), ("deploi",), ("plan", "-n", "9")], ids=" ".join
)
def test_a_command_prints_and_has_its_usual_exit_code(
    environ: dict[str, str], words: tuple[str, ...], tmp_path: Path
) -> None:
    there = {"ISSHONI_STATE_DIR": str(tmp_path / "state")}
    usual = run(there, "-m", "isshoni.cli", *words)
    done = run({**there, **environ}, "-m", "isshoni.cli", *words)
    assert b"Traceback" not in done.stderr
    assert done.returncode == usual.returncode
    assert len(done.stdout.splitlines()) == len(usual.stdout.splitlines())


def test_utf_8_is_printed_as_it_is(tmp_path: Path) -> None:
    done = run({"PYTHONIOENCODING": "utf-8"}, write_program(tmp_path))
    assert done.stdout.decode().splitlines()[0] == "✓ 채팅 – bad: ?"
