"""Check that a release can be made of the repository as it is."""

from dataclasses import dataclass
from pathlib import Path

from tools.release.errors import ReleaseRefused
from tools.release.shell import run, succeeds
from tools.release.versions import has_entries, parse_version, read_version, unreleased_changes


@dataclass(frozen=True)
class Release:
    """One release to be made."""

    repository: Path
    old: str
    version: str
    date: str
    branch: str
    changes: str

    @property
    def tag(self) -> str:
        """The name of its git tag."""
        return f"v{self.version}"


def plan_release(repository: Path, version: str, *, date: str, branch: str) -> Release:
    """Return the release to make; raises `ReleaseRefused` with every reason against it."""
    old = read_version((repository / "pyproject.toml").read_text())
    changes = unreleased_changes((repository / "CHANGELOG.md").read_text())
    release = Release(repository, old, version, date, branch, changes)
    if reasons := [*_faults_of_git(release), *_faults_of_version(release)]:
        raise ReleaseRefused(reasons)
    return release


def _faults_of_git(release: Release) -> list[str]:
    faults = []
    cwd = release.repository
    if changed := run("git", "status", "--porcelain", cwd=cwd).splitlines():
        names = ", ".join(line.split(maxsplit=1)[1] for line in changed[:3])
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        faults.append(f"not everything is committed: {names}{more}")
    current = run("git", "branch", "--show-current", cwd=cwd) or "a detached HEAD"
    if current != release.branch:
        faults.append(f"this is {current}; releases are made on {release.branch} (see --branch)")
    if succeeds("git", "rev-parse", "--verify", f"refs/tags/{release.tag}", cwd=cwd):
        faults.append(f"the tag {release.tag} exists already")
    return faults


def _faults_of_version(release: Release) -> list[str]:
    faults = []
    if parse_version(release.version) <= parse_version(release.old):
        faults.append(f"{release.version} is not newer than the present {release.old}")
    if not has_entries(release.changes):
        faults.append("CHANGELOG.md has nothing under Unreleased")
    return faults
