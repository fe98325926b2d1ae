"""`python -m isshoni.backend`: the backend process, and what it tells of itself."""

import argparse
import os
import sys

import msgspec
from cryptography.fernet import Fernet

from isshoni.backend.errors import BadKeys
from isshoni.backend.formats import describe_formats
from isshoni.backend.server import main as serve
from isshoni.backend.vault import Vault


def main() -> int:
    """Serve, or answer one question and end."""
    parser = argparse.ArgumentParser(
        prog="python -m isshoni.backend",
        description="The backend process; its settings are in the environment.",
    )
    questions = parser.add_mutually_exclusive_group()
    questions.add_argument(
        "--formats",
        action="store_true",
        help="tell which stored forms it writes and reads, as JSON",
    )
    questions.add_argument(
        "--make-key", action="store_true", help="make a key for SESSION_ENCRYPTION_KEY"
    )
    asked = parser.parse_args()
    if asked.make_key:
        print(Fernet.generate_key().decode())
        return 0
    return tell_formats() if asked.formats else serve()


def tell_formats() -> int:
    """Print the formats; gives the exit code."""
    try:
        vault = Vault.parse(os.environ.get("SESSION_ENCRYPTION_KEY", ""))
    except BadKeys as fault:
        sys.stderr.write(f"isshoni.backend: {fault}\n")
        return int(fault.exit_code)
    print(msgspec.json.encode(describe_formats(vault)).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
