"""The command line of `scripts/docs`."""

import argparse
import subprocess
import sys
import threading
import time
from pathlib import Path

from tools.docs import cli_reference
from tools.docs.stage import ROOT, stage

SITE = ROOT / "site"
_EPILOG = """\
examples:
  scripts/docs           build into site/html; every warning is an error
  scripts/docs --write   write docs/reference/cli.md again, after a command's help changed
  scripts/docs --serve   show it on http://127.0.0.1:8000 while you write"""


def build(target: Path) -> "subprocess.CompletedProcess[str]":
    """Build the site under `target`; the exit code is not 0 if there is a warning."""
    return _zensical(target, "build", "--strict", "--clean", capture=True)


def _zensical(target: Path, *words: str, capture: bool) -> "subprocess.CompletedProcess[str]":
    configuration = stage(target)
    program = Path(sys.executable).parent / "zensical"
    return subprocess.run(  # noqa: S603
        [program, *words, "--config-file", configuration], capture_output=capture, text=True
    )


def _stage_again_and_again() -> None:
    while True:
        time.sleep(1)
        stage(SITE)


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/docs",
        description="Build the documentation site, with the API reference from the docstrings.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--serve", action="store_true", help="show it, and follow changes")
    parser.add_argument("--write", action="store_true", help="write the generated pages, no more")
    chosen = parser.parse_args()
    if chosen.write:
        cli_reference.write()
        return 0
    if chosen.serve:
        threading.Thread(target=_stage_again_and_again, daemon=True).start()
        return _zensical(SITE, "serve", capture=False).returncode
    done = build(SITE)
    print(done.stdout + done.stderr if done.returncode else f"Built {SITE / 'html'}/index.html")
    return done.returncode


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
