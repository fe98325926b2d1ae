"""Run the programs that a release needs."""

import shutil
import subprocess
import sys
from pathlib import Path

from tools.release.errors import ReleaseFailed, ToolMissing

TIMEOUT_SECONDS = 600


def run(*command: str | Path, cwd: Path) -> str:
    """Run a program; return its output, stripped. Raises `ReleaseFailed` with what it printed."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(  # noqa: S603
            words, cwd=cwd, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise ReleaseFailed(f"`{' '.join(words)}` took over {TIMEOUT_SECONDS} s") from None
    if done.returncode:
        said = (done.stderr + done.stdout).strip()[-3000:]
        raise ReleaseFailed(f"`{' '.join(words)}` failed:\n{said}")
    return done.stdout.strip()


def succeeds(*command: str, cwd: Path) -> bool:
    """True if a program ends with exit code 0."""
    return subprocess.run(command, cwd=cwd, capture_output=True).returncode == 0  # noqa: S603


def find_uv() -> Path:
    """Return the uv of this Python's environment; raises `ToolMissing`."""
    beside = Path(sys.executable).parent / "uv"
    found = beside if beside.exists() else shutil.which("uv")
    if found is None:
        raise ToolMissing("uv is missing; run scripts/setup --dev")
    return Path(found)


def find_npm() -> str:
    """Return npm; raises `ToolMissing`."""
    if found := shutil.which("npm"):
        return found
    raise ToolMissing("npm is missing; install Node.js 20.19 or newer")
