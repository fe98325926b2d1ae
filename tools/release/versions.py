"""The places that carry the version, and the CHANGELOG section, as pure text functions."""

import json
import re

from tools.release.errors import ReleaseFailed

UNRELEASED = "## [Unreleased]"
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


def parse_version(text: str) -> tuple[int, int, int]:
    """Return the three numbers of a version; raises `ValueError` unless it is X.Y.Z."""
    match = _VERSION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no version; expected three numbers such as 0.2.0")
    return int(match[1]), int(match[2]), int(match[3])


def read_version(pyproject: str) -> str:
    """Return the present version from pyproject.toml."""
    match = re.search(r'^version = "([^"]+)"$', pyproject, re.MULTILINE)
    if match is None:
        raise ReleaseFailed('pyproject.toml has no line `version = "…"`')
    return match[1]


def unreleased_changes(changelog: str) -> str:
    """Return what CHANGELOG.md has under Unreleased, without its heading."""
    _, found, after = changelog.partition(UNRELEASED + "\n")
    if not found:
        raise ReleaseFailed(f"CHANGELOG.md has no line `{UNRELEASED}`")
    return re.split(r"^## ", after, maxsplit=1, flags=re.MULTILINE)[0].strip()


def has_entries(changes: str) -> bool:
    """True if there is at least one list item."""
    return re.search(r"^[-*] \S", changes, re.MULTILINE) is not None


def with_section(changelog: str, version: str, date: str) -> str:
    """Return the CHANGELOG with the unreleased changes under a section of `version`."""
    return changelog.replace(UNRELEASED + "\n", f"{UNRELEASED}\n\n## [{version}] - {date}\n", 1)


def with_version(path: str, text: str, old: str, new: str) -> str:
    """Return a file of `VERSIONED` with the new version; raises `ReleaseFailed` without the old."""
    if path.endswith("package-lock.json"):
        return _lock_with_version(text, old, new)
    before = VERSIONED[path].format(old)
    if text.count(before) != 1:
        raise ReleaseFailed(f"{path} should contain once: {before.strip()!r}")
    return text.replace(before, VERSIONED[path].format(new))


def _lock_with_version(text: str, old: str, new: str) -> str:
    lock = json.loads(text)
    for name in _PACKAGES:
        package = lock["packages"][name]
        if package["version"] != old:
            raise ReleaseFailed(
                f"package-lock.json has version {package['version']} of {name}, not {old}"
            )
        package["version"] = new
    return json.dumps(lock, indent=2, ensure_ascii=False) + "\n"


_PACKAGES = ("packages/client", "packages/movable-socket")
VERSIONED = {
    "pyproject.toml": '\nversion = "{}"\n',
    "src/isshoni/__init__.py": '\n__version__ = "{}"\n',
    "uv.lock": '\nname = "isshoni"\nversion = "{}"\n',
    **{f"frontend/{package}/package.json": '\n  "version": "{}",\n' for package in _PACKAGES},
    "frontend/package-lock.json": "",
}
"""Each file that carries the version, with the text that has it (the last is read as JSON)."""
