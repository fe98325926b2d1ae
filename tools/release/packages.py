"""Build the packages of a release, and install each into an empty place."""

import sys
import zipfile
from pathlib import Path

from tools.release.errors import ReleaseFailed
from tools.release.shell import find_npm, find_uv, run


def build_python(source: Path, output: Path) -> tuple[Path, Path]:
    """Build the wheel and the sdist; return both."""
    run(find_uv(), "build", "--quiet", "--out-dir", output, cwd=source)
    return _only(output, "*.whl"), _only(output, "*.tar.gz")


def build_npm(source: Path, output: Path) -> Path:
    """Build the tarball of the TypeScript client; return it."""
    run(find_npm(), "pack", "--silent", "--pack-destination", output, cwd=source)
    return _only(output, "*.tgz")


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


def check_tarball(tarball: Path, version: str, scratch: Path) -> None:
    """Raise `ReleaseFailed` unless the tarball can be installed and imported."""
    folder = scratch / "consumer"
    folder.mkdir()
    (folder / "package.json").write_text('{"type": "module", "private": true}\n')
    options = ("--silent", "--no-audit", "--no-fund", "--prefer-offline")
    run(find_npm(), "install", *options, tarball, "yjs@13", cwd=folder)
    program = (
        "import { readFileSync } from 'node:fs';"
        "const { IsshoniClient } = await import('@isshoni/client');"
        "const at = 'node_modules/@isshoni/client/package.json';"
        "console.log(typeof IsshoniClient, JSON.parse(readFileSync(at, 'utf8')).version);"
    )
    said = run("node", "--input-type=module", "--eval", program, cwd=folder)
    if said != f"function {version}":
        raise ReleaseFailed(f"the installed client says {said!r}, not 'function {version}'")


def _only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise ReleaseFailed(f"expected one {pattern}, built {[path.name for path in found]}")
    return found[0]
