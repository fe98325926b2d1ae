"""Programs that cannot be executed are known before they are started."""

import os
import re
import sys
from pathlib import Path

import pytest

from isshoni.environments.local.executables import find_execution_fault

PATH = "/usr/bin:/bin"


def make(directory: Path, content: str | bytes, *, mode: int = 0o755, name: str = "it") -> str:
    path = directory / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return f"./{name}"


@pytest.mark.parametrize("command", ["sh", "/bin/sh", sys.executable])
def test_a_program_has_no_fault(tmp_path: Path, command: str) -> None:
    assert find_execution_fault([command, "-c", "true"], tmp_path, PATH) is None


def test_a_script_of_the_working_directory_has_no_fault(tmp_path: Path) -> None:
    script = make(tmp_path, "#!/bin/sh\ntrue")
    assert find_execution_fault([script], tmp_path, PATH) is None
    assert find_execution_fault(["it"], tmp_path, f"{PATH}{os.pathsep}.") is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("echo hello", "is a text without an interpreter line"),
        ("", "is empty"),
        ("#!/no/such/python\n", "the interpreter .* /no/such/python, does not exist"),
        ("#!/usr/bin/env no-such-python\n", "no-such-python, is not in any directory of PATH"),
        ("#!\n", "names no program"),
        ("#!/bin/sh\r\necho\r\n", "carriage return"),
    ],
)
def test_a_script_that_the_kernel_would_not_run_is_described(
    tmp_path: Path, content: str, said: str
) -> None:
    fault = find_execution_fault([make(tmp_path, content)], tmp_path, PATH)
    assert fault is not None
    assert re.search(said, fault), fault


def test_what_is_no_program_is_described(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    plain = make(tmp_path, "#!/bin/sh\n", mode=0o644, name="plain")
    for command, said in [
        ("./nowhere", "there is no file"),
        ("./folder", "is a directory"),
        (plain, "is not executable"),
        ("no-such-program", "no-such-program is not in any directory of PATH"),
    ]:
        fault = find_execution_fault([command], tmp_path, PATH)
        assert fault is not None and said in fault


def test_a_binary_is_left_to_the_kernel(tmp_path: Path) -> None:
    assert find_execution_fault([make(tmp_path, b"\x7fELF\0\0")], tmp_path, PATH) is None
