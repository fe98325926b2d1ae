"""Make a release in a clone, and take it over only when all of it is there."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tools.release.errors import ReleaseFailed
from tools.release.packages import (
    NPM_PACKAGES,
    build_npm,
    build_python,
    check_tarball,
    check_wheel,
)
from tools.release.readiness import Release
from tools.release.shell import find_npm, find_uv, run, succeeds
from tools.release.versions import VERSIONED, with_section, with_version

Say = Callable[[str], None]


def make_release(release: Release, say: Say) -> list[Path]:
    """Make a release; return its packages. On any failure the repository is as before."""
    find_uv()
    find_npm()
    with tempfile.TemporaryDirectory(prefix="isshoni-release-") as made:
        scratch = Path(made)
        clone, built = scratch / "clone", scratch / "dist"
        built.mkdir()
        say(f"Writing version {release.version} and its CHANGELOG section")
        _commit_in_clone(release, clone)
        say("Building the wheel and the sdist; installing the wheel into an empty environment")
        wheel, sdist = build_python(clone, built)
        check_wheel(wheel, release.version, clone, scratch)
        say("Building the npm tarballs; installing each into an empty folder")
        _provide_node_modules(release.repository, clone)
        tarballs = []
        for package in NPM_PACKAGES:
            tarballs.append(build_npm(package, clone / "frontend" / "packages", built))
            check_tarball(package, tarballs[-1], release.version, scratch)
        say(f"Taking over the commit and the tag {release.tag}")
        return _take_over(release, clone, [wheel, sdist, *tarballs])


def _commit_in_clone(release: Release, clone: Path) -> None:
    run("git", "clone", "--quiet", release.repository, clone, cwd=release.repository)
    for key in ("user.name", "user.email"):
        value = run("git", "config", "--default", "", "--get", key, cwd=release.repository)
        if value:
            run("git", "config", key, value, cwd=clone)
    for path in VERSIONED:
        file = clone / path
        file.write_text(with_version(path, file.read_text(), release.old, release.version))
    changelog = clone / "CHANGELOG.md"
    changelog.write_text(with_section(changelog.read_text(), release.version, release.date))
    run("git", "commit", "--quiet", "--all", "-m", f"Release {release.version}", cwd=clone)
    message = f"Isshoni {release.version}\n\n{release.changes}"
    run("git", "tag", "--annotate", "--cleanup=verbatim", release.tag, "-m", message, cwd=clone)


def _provide_node_modules(repository: Path, clone: Path) -> None:
    """Use the installed packages of the repository; install them in the clone if there are none."""
    installed = repository / "frontend" / "node_modules"
    if installed.is_dir():
        (clone / "frontend" / "node_modules").symlink_to(installed.resolve())
    else:
        options = ("--silent", "--no-audit", "--no-fund")
        run(find_npm(), "ci", *options, cwd=clone / "frontend")


def _take_over(release: Release, clone: Path, packages: list[Path]) -> list[Path]:
    """Bring packages, tag and commit into the repository; undo all of it if one fails."""
    repository, output = release.repository, release.repository / "dist" / release.tag
    output.parent.mkdir(exist_ok=True)
    tag = f"refs/tags/{release.tag}"
    try:
        output.mkdir()
        for package in packages:
            shutil.copy(package, output)
        run("git", "fetch", "--quiet", "--no-tags", clone, f"{tag}:{tag}", cwd=repository)
        # Last: a branch that moved in between is no fast-forward, and fails here.
        run("git", "merge", "--quiet", "--ff-only", f"{release.tag}^{{commit}}", cwd=repository)
    except FileExistsError:
        raise ReleaseFailed(f"{output} exists already; move it away") from None
    except BaseException:
        shutil.rmtree(output)
        succeeds("git", "tag", "--delete", release.tag, cwd=repository)
        raise
    return sorted(output / package.name for package in packages)
