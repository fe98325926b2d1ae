"""Build the packages of a release, and install each into an empty place."""

import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tools.release.errors import ReleaseFailed
from tools.release.shell import find_npm, find_uv, run


def build_python(source: Path, output: Path) -> tuple[Path, Path]:
    """Build the wheel and the sdist; return both."""
    run(find_uv(), "build", "--quiet", "--out-dir", output, cwd=source)
    return _only(output, "*.whl"), _only(output, "*.tar.gz")


@dataclass(frozen=True)
class NpmPackage:
    """A package of `frontend/packages` that is released."""

    name: str
    """Its folder, and its name on npm after `@isshoni/`."""
    exported: str
    """A class that it exports."""
    peers: tuple[str, ...] = ()
    """What an application installs beside it."""


NPM_PACKAGES = (
    NpmPackage("client", "IsshoniClient", ("yjs@13",)),
    NpmPackage("movable-socket", "MovableSocket"),
)


def build_npm(package: NpmPackage, packages: Path, output: Path) -> Path:
    """Build the tarball of a package in the folder `packages`; return it."""
    options = ("--silent", "--pack-destination", output)
    run(find_npm(), "pack", *options, cwd=packages / package.name)
    return _only(output, f"isshoni-{package.name}-*.tgz")


def check_wheel(wheel: Path, version: str, source: Path, scratch: Path) -> None:
    """Raise `ReleaseFailed` unless the wheel is whole and its command runs.

    Its dependencies are installed as uv.lock has them: with those the tests passed.
    """
    tracked = run("git", "ls-files", "src/isshoni", cwd=source).splitlines()
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    if missing := [path for path in tracked if path.removeprefix("src/") not in packed]:
        raise ReleaseFailed(f"the wheel lacks {len(missing)} files, first {missing[0]}")
    uv, locked, venv = find_uv(), scratch / "locked.txt", scratch / "venv"
    export = ("--frozen", "--no-dev", "--no-emit-project", "--no-hashes", "--quiet")
    run(uv, "export", *export, "--output-file", locked, cwd=source)
    run(uv, "venv", "--quiet", "--python", sys.executable, venv, cwd=scratch)
    python = ("--python", venv / "bin" / "python")
    run(uv, "pip", "install", "--quiet", *python, "--constraints", locked, wheel, cwd=scratch)
    said = run(venv / "bin" / "isshoni", "--version", cwd=scratch)
    if said != f"isshoni {version}":
        raise ReleaseFailed(f"the installed command says {said!r}, not 'isshoni {version}'")


def check_tarball(package: NpmPackage, tarball: Path, version: str, scratch: Path) -> None:
    """Raise `ReleaseFailed` unless the tarball can be installed and imported."""
    folder = scratch / f"consumer-{package.name}"
    folder.mkdir()
    (folder / "package.json").write_text('{"type": "module", "private": true}\n')
    options = ("--silent", "--no-audit", "--no-fund", "--prefer-offline")
    run(find_npm(), "install", *options, tarball, *package.peers, cwd=folder)
    program = (
        "import { readFileSync } from 'node:fs';"
        f"const {{ {package.exported} }} = await import('@isshoni/{package.name}');"
        f"const at = 'node_modules/@isshoni/{package.name}/package.json';"
        f"console.log(typeof {package.exported}, JSON.parse(readFileSync(at, 'utf8')).version);"
    )
    said = run("node", "--input-type=module", "--eval", program, cwd=folder)
    if said != f"function {version}":
        raise ReleaseFailed(f"the installed {package.name} says {said!r}, not 'function {version}'")


def _only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise ReleaseFailed(f"expected one {pattern}, built {[path.name for path in found]}")
    return found[0]
