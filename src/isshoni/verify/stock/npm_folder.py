"""The folder with the npm packages of stock clients: installed once, as the lock file says."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from isshoni.errors import IsshoniError

SCRIPTS = Path(__file__).parent / "node"
MODULES_VARIABLE = "ISSHONI_VERIFY_NODE_MODULES"
"""A `node_modules` folder to use instead of an installation."""
NODE_MAJOR = 20
INSTALL_SECONDS = 300


class NodeMissing(IsshoniError):
    """Node.js or npm is needed, and missing or too old."""


class NotInstalled(IsshoniError):
    """The npm packages are not there, and could not be installed or must not be."""


def prepare(*, offline: bool = False, say: Callable[[str], None] = lambda text: None) -> Path:
    """Return the folder with the scripts and their packages; install it if it is not there."""
    require_node()
    folder = cache_directory() / f"verify-clients-{_digest()}"
    if _is_complete(folder):
        return folder
    modules = os.environ.get(MODULES_VARIABLE)
    if modules is None and offline:
        raise NotInstalled(
            f"the npm packages of the stock clients are not in {folder}, and --offline forbids to "
            "install them: run this once without --offline where npm reaches its registry (or copy "
            "that folder from a machine where it was run)"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Made beside its place and then renamed, so that no other run finds half of it.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".verify-clients-") as made:
        new = Path(made) / "folder"
        shutil.copytree(SCRIPTS, new, ignore=shutil.ignore_patterns("node_modules"))
        if modules is not None:
            (new / "node_modules").symlink_to(Path(modules).resolve(), target_is_directory=True)
        else:
            say(f"installing {', '.join(list_packages())} with npm, once, into {folder}")
            _install(new)
        if not _is_complete(folder):
            shutil.rmtree(folder, ignore_errors=True)
            new.rename(folder)
    return folder


def cache_directory() -> Path:
    """Return the directory for what can be made again."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "isshoni"


def list_packages() -> list[str]:
    """Return the packages and their versions."""
    pinned = json.loads((SCRIPTS / "package.json").read_text())["dependencies"]
    return [f"{name} {version}" for name, version in pinned.items()]


def require_node() -> str:
    """Return the path of node; raises `NodeMissing` if there is none, or one that is too old."""
    needed = (
        f"this kind of --client runs in Node.js ≥ {NODE_MAJOR}, with npm: install it (on Debian "
        "and Ubuntu: `sudo apt install nodejs npm`; on macOS: `brew install node`)"
    )
    node = shutil.which("node")
    if node is None:
        raise NodeMissing(f"there is no `node` on the PATH, and {needed}")
    said = subprocess.run([node, "--version"], capture_output=True, text=True).stdout.strip()
    major = said.removeprefix("v").split(".")[0]
    if not major.isdecimal() or int(major) < NODE_MAJOR:
        raise NodeMissing(f"{node} is version {said or 'unknown'}, and {needed}")
    return node


def _install(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NodeMissing("there is no `npm` on the PATH, which installs the stock clients")
    # Install scripts would build what has no ready-made binary; nothing here needs that.
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"`npm ci` did not end within {INSTALL_SECONDS} s") from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-1500:]
        raise NotInstalled(
            f"`npm ci` ended with exit code {done.returncode}; the stock clients are installed "
            f"with it once. Is npm's registry reachable?\n{said}"
        )


def _is_complete(folder: Path) -> bool:
    return (folder / "node_modules").is_dir() and (folder / "clients.mjs").is_file()


def _digest() -> str:
    """Return a name for this version of the scripts, their packages and where those are from."""
    files = sorted(file for file in SCRIPTS.iterdir() if file.is_file())
    parts = [file.name.encode() + b"\0" + file.read_bytes() for file in files]
    parts.append(os.environ.get(MODULES_VARIABLE, "").encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
