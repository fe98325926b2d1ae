"""`python -m isshoni.backend`: the backend process, and what it tells of itself."""

import argparse
import asyncio
import os
import sys

import msgspec
from cryptography.fernet import Fernet

from isshoni.backend.formats import describe_formats
from isshoni.backend.reseal import reseal
from isshoni.backend.server import main as serve
from isshoni.backend.settings import DEFAULT_REDIS_URL
from isshoni.backend.vault import Vault
from isshoni.errors import ExitCode, IsshoniError


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
    questions.add_argument(
        "--reseal", action="store_true", help="encrypt every session anew with the first key"
    )
    asked = parser.parse_args()
    if asked.make_key:
        print(Fernet.generate_key().decode())
        return 0
    if not asked.formats and not asked.reseal:
        return serve()
    try:
        vault = Vault.parse(os.environ.get("SESSION_ENCRYPTION_KEY", ""))
        return reseal_all(vault) if asked.reseal else tell_formats(vault)
    except IsshoniError as fault:
        sys.stderr.write(f"isshoni.backend: {fault}\n")
        return int(fault.exit_code)


def tell_formats(vault: Vault) -> int:
    """Print the formats; gives the exit code."""
    print(msgspec.json.encode(describe_formats(vault)).decode())
    return ExitCode.OK


def reseal_all(vault: Vault) -> int:
    """Re-encrypt, and say what is left; gives the exit code."""
    tally = asyncio.run(reseal(os.environ.get("REDIS_URL", DEFAULT_REDIS_URL), vault))
    print(
        f"{tally.sessions} sessions: {tally.rewritten} encrypted anew, {tally.left} left that "
        f"hold what {vault.writes} does not seal"
    )
    return ExitCode.ENVIRONMENT if tally.left else ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
