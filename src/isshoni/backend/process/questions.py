"""The options of the backend program that print a result and exit."""

import asyncio
import os

import msgspec
from cryptography.fernet import Fernet

from isshoni.backend.process.reseal import reseal
from isshoni.backend.security.vault import Vault
from isshoni.backend.settings.settings import DEFAULT_REDIS_URL
from isshoni.backend.store.formats import describe_formats
from isshoni.errors import ExitCode


def print_key() -> int:
    """Print a new key; return the exit code."""
    print(Fernet.generate_key().decode())
    return ExitCode.OK


def print_formats() -> int:
    """Print the stored formats; return the exit code."""
    print(msgspec.json.encode(describe_formats(_read_vault())).decode())
    return ExitCode.OK


def reseal_all() -> int:
    """Encrypt all sessions again, print what is left; return the exit code."""
    vault = _read_vault()
    tally = asyncio.run(reseal(os.environ.get("REDIS_URL", DEFAULT_REDIS_URL), vault))
    print(
        f"{tally.sessions} sessions: {tally.rewritten} encrypted again, {tally.left} left with "
        f"content that {vault.writes} does not seal"
    )
    return ExitCode.ENVIRONMENT if tally.left else ExitCode.OK


def _read_vault() -> Vault:
    return Vault.parse(os.environ.get("SESSION_ENCRYPTION_KEY", ""))
