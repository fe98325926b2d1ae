"""`python -m isshoni.backend`: run the backend process, or print something about it."""

import argparse
import gc
import os
import sys

from isshoni.backend.process.quiet_loading import load_quietly
from isshoni.backend.process.succession import SPARE_VARIABLE
from isshoni.errors import IsshoniError


def main() -> int:
    """Serve, or carry out one option and end; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m isshoni.backend",
        description="The backend process; its settings are in the environment.",
    )
    questions = parser.add_mutually_exclusive_group()
    questions.add_argument(
        "--formats",
        action="store_true",
        help="print the stored formats that it writes and reads, as JSON",
    )
    questions.add_argument(
        "--make-key", action="store_true", help="make a key for SESSION_ENCRYPTION_KEY"
    )
    questions.add_argument(
        "--reseal", action="store_true", help="encrypt every session again with the first key"
    )
    asked = parser.parse_args()
    if not (asked.formats or asked.make_key or asked.reseal):
        return _serve()
    from isshoni.backend.process import questions as answers

    try:
        if asked.make_key:
            return answers.print_key()
        return answers.reseal_all() if asked.reseal else answers.print_formats()
    except IsshoniError as fault:
        sys.stderr.write(f"isshoni.backend: {fault}\n")
        return int(fault.exit_code)


def _serve() -> int:
    gc.disable()  # until all is loaded: it finds nothing, and loading takes a tenth longer
    if SPARE_VARIABLE in os.environ:
        load_quietly("isshoni.backend.process.server")
    from isshoni.backend.process.server import (
        main as serve,  # slow to load, which a spare does at low priority
    )

    return serve()


if __name__ == "__main__":
    sys.exit(main())
