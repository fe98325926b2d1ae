"""Terraform as these tests run it: the real program, the real provider, no way out."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

PLUGINS = "ISSHONI_TERRAFORM_PLUGINS"
"""Names a mirror of providers: the folder that holds HOST/hashicorp/aws."""
_ROOTS = (
    Path.home() / ".terraform.d",
    Path("/usr/local/share/terraform"),
    Path("/usr/share/terraform"),
    Path("/opt"),
)
TIMEOUT_SECONDS = 600.0
_running: set[int] = set()
"""Process groups of the runs under way."""


@dataclass(frozen=True)
class Done:
    """How a run of Terraform ended."""

    code: int
    out: str
    err: str


def find_terraform() -> str:
    """Find the program; skips the test, or fails it in CI, where there is none."""
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("NOT RUN: there is no Terraform on the PATH (1.11 or newer)")
    return program


def find_plugins() -> Path | None:
    """Find a mirror with the AWS provider; None: Terraform has to download it."""
    if named := os.environ.get(PLUGINS):
        return Path(named)
    for root in _ROOTS:
        for pattern in ("*/hashicorp/aws/5.*", "*/*/hashicorp/aws/5.*"):
            for version in root.glob(pattern):
                return version.parents[3]
    return None


def write_cli_config(folder: Path) -> Path:
    """Write the configuration with which Terraform takes providers from the mirror."""
    plugins = find_plugins()
    file = folder / "terraform.rc"
    file.write_text(
        ""
        if plugins is None
        else f'provider_installation {{\n  filesystem_mirror {{\n    path = "{plugins}"\n  }}\n}}\n'
    )
    return file


def own_environment() -> dict[str, str]:
    """Give this process's environment without anybody's account or settings of Terraform."""
    return {name: v for name, v in os.environ.items() if not name.startswith(("AWS_", "TF_"))}


@contextlib.contextmanager
def _run(
    words: list[str], folder: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """Run Terraform in a process group of its own; no provider of it outlives this."""
    process = subprocess.Popen(
        [find_terraform(), *words],
        cwd=folder,
        env={**own_environment(), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    _running.add(process.pid)
    try:
        yield process
    finally:
        _kill(process.pid)
        process.wait()
        _running.discard(process.pid)


def kill_running() -> None:
    """Kill every run that is under way in other threads."""
    for group in tuple(_running):
        _kill(group)


def _kill(group: int) -> None:
    """Kill what is left of a run: a killed Terraform leaves its providers behind."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def run_terraform(words: list[str], folder: Path, environment: Mapping[str, str]) -> Done:
    """Run Terraform to its end in `folder`."""
    with _run(words, folder, environment) as process:
        out, err = process.communicate(timeout=TIMEOUT_SECONDS)
    return Done(process.returncode, out, err)
