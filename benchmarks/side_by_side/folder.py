"""The folder that the peers are installed into, by npm and pip, as `pins` says."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.side_by_side.errors import Unavailable

HERE = Path(__file__).parent
PINS = HERE / "pins"
SERVERS = HERE / "servers"
NODE_MAJOR = 20


class Folder:
    """Installs on first use, and again when a pin changed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def node_modules(self) -> Path:
        return self.path / "node" / "node_modules"

    @property
    def python(self) -> Path:
        return self.path / "python" / "bin" / "python"

    def install_node_packages(self) -> None:
        """Install the npm packages; raises `Unavailable` without node or npm."""
        require_node()
        npm = find_program("npm", "the peers written in JavaScript are installed with it")
        pins = [PINS / "package.json", PINS / "package-lock.json"]
        directory = self.path / "node"
        if _is_current(directory, pins):
            return
        _make_empty(directory)
        for pin in pins:
            shutil.copy(pin, directory)
        # Scripts would build what has no ready-made binary; nothing here needs that.
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        _install([npm, "ci", *options], directory)
        _stamp(directory, pins)

    def install_python_packages(self) -> None:
        """Install the Python packages into an environment of their own."""
        pins = [PINS / "requirements.txt"]
        directory = self.path / "python"
        if _is_current(directory, pins):
            return
        _make_empty(directory)
        _install([sys.executable, "-m", "venv", str(directory)], self.path)
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _install([*pip, "-r", str(pins[0])], self.path)
        _stamp(directory, pins)

    def build_generator(self) -> Path:
        """Compile the load generator; raises `Unavailable` without a C compiler."""
        compiler = find_compiler()
        sources = sorted((HERE / "load").glob("*.[ch]"))
        directory = self.path / "load"
        program = directory / "load"
        if _is_current(directory, sources):
            return program
        _make_empty(directory)
        options = ["-D_GNU_SOURCE", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-o", str(program)]
        units = [str(source) for source in sources if source.suffix == ".c"]
        _install([compiler, *options, *units], directory)
        _stamp(directory, sources)
        return program


def find_compiler() -> str:
    """Return the C compiler; raises `Unavailable` if there is none."""
    found = shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")
    if found is None:
        raise Unavailable(
            "there is no C compiler on the PATH (gcc, cc or clang), and the load generator is "
            "written in C; on Debian and Ubuntu: sudo apt install gcc libc6-dev"
        )
    return found


def find_program(name: str, reason: str) -> str:
    """Return the path of a program; raises `Unavailable` if it is missing."""
    found = shutil.which(name)
    if found is None:
        raise Unavailable(f"there is no `{name}` on the PATH: {reason}")
    return found


def require_node() -> None:
    """Raise `Unavailable` if there is no Node.js, or one that is too old."""
    needed = f"the peers written in JavaScript need Node.js ≥ {NODE_MAJOR}"
    node = find_program("node", needed)
    said = subprocess.run([node, "--version"], capture_output=True, text=True).stdout.strip()
    major = said.removeprefix("v").split(".")[0]
    if not major.isdecimal() or int(major) < NODE_MAJOR:
        raise Unavailable(f"{node} is version {said or 'unknown'}: {needed}")


def _make_empty(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)


def _install(command: Sequence[str], directory: Path) -> None:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise Unavailable(f"`{' '.join(command[:4])} …` failed ({done.returncode}):\n{said}")


def _digest(files: Sequence[Path]) -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _is_current(directory: Path, pins: Sequence[Path]) -> bool:
    stamp = directory / ".installed"
    return stamp.exists() and stamp.read_text() == _digest(pins)


def _stamp(directory: Path, pins: Sequence[Path]) -> None:
    (directory / ".installed").write_text(_digest(pins))
