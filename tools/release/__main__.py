"""The command line of `scripts/release`."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from tools.release.errors import ReleaseFailed, ReleaseRefused, ToolMissing
from tools.release.make import make_release
from tools.release.readiness import Release, plan_release
from tools.release.versions import VERSIONED, parse_version

_DESCRIPTION = """\
Make a release: write VERSION wherever it stands, move what CHANGELOG.md has under Unreleased
into a section of its own, build the wheel, the sdist and the npm tarball of the TypeScript
client, install both into empty places, commit and tag. All of it happens in a clone; the
repository changes only when everything has succeeded. Nothing is pushed or published."""

_EXAMPLES = """\
examples:
  scripts/release 0.2.0 --dry-run     check, and show what would be done
  scripts/release 0.2.0               do it; the packages are in dist/v0.2.0
  scripts/release 0.2.1 --branch fix  from another branch than main

exit codes: 0 done, 1 a step failed, 2 wrong usage, 4 a program is missing,
7 refused (every reason is printed). After 1, 2, 4 and 7 nothing was changed."""


def main() -> int:
    """Run the command; return its exit code."""
    options = _parser().parse_args()
    try:
        release = plan_release(
            Path.cwd(), options.version, date=options.date, branch=options.branch
        )
        if options.dry_run:
            print(_describe(release))
            return 0
        packages = make_release(release, print)
    except ReleaseRefused as refused:
        for reason in refused.reasons:
            print(f"release: refused: {reason}", file=sys.stderr)
        return refused.exit_code
    except (ReleaseFailed, ToolMissing) as fault:
        print(f"release: {fault}", file=sys.stderr)
        return fault.exit_code
    print("\n".join(str(package) for package in packages))
    print(f"Released. To publish: git push origin {release.branch} {release.tag}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/release",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("version", type=_version, metavar="VERSION", help="X.Y.Z")
    parser.add_argument("--dry-run", action="store_true", help="check and show; change nothing")
    parser.add_argument("--branch", default="main", help="where releases are made (main)")
    today = datetime.now(UTC).date().isoformat()
    parser.add_argument("--date", type=_date, default=today, help="of the section (today, UTC)")
    return parser


def _version(text: str) -> str:
    try:
        parse_version(text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from None
    return text


def _date(text: str) -> str:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date().isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date like 2026-11-26") from None


def _describe(release: Release) -> str:
    files = "\n".join(f"  {path}: {release.old} -> {release.version}" for path in VERSIONED)
    return (
        f"Would release {release.version} on {release.branch}:\n{files}\n"
        f"  CHANGELOG.md: ## [{release.version}] - {release.date}\n\n{release.changes}\n\n"
        f"  build into dist/{release.tag}: wheel, sdist, npm tarballs; install each\n"
        f"  commit `Release {release.version}`, tag {release.tag}"
    )


if __name__ == "__main__":
    sys.exit(main())
