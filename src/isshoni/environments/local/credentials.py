"""The secrets of a local environment, made once and stored in a file of its owner."""

import fcntl
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec

from isshoni.environments.local.files import read_json, write_atomically
from isshoni.rollout.errors import EnvironmentFault

_ADVICE = (
    "restore it from a backup, or stop the environment and remove the file; clients must then "
    "reload the page"
)


class Credentials(msgspec.Struct, frozen=True):
    """The secrets that the programs of an environment share."""

    admin_token: str
    ticket_secret: str
    redis_password: str
    token_keys: str = ""
    """`KEY_ID:SECRET,…` for session tokens: the first signs, all verify. To rotate, add a new
    one in front, deploy, and remove the old one once its tokens have expired."""


def load_credentials(state_dir: Path) -> Credentials:
    """Read `secrets.json`, or create it; two callers at once get the same secrets."""
    path = state_dir / "secrets.json"
    with (state_dir / "secrets.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = read_json(path, Credentials, _ADVICE)
        whole = _complete(kept or Credentials(*(secrets.token_urlsafe(32) for _ in range(3))))
        if whole != kept:
            write_atomically(path, msgspec.json.encode(whole))
        return whole


def _complete(credentials: Credentials) -> Credentials:
    """Add secrets that an earlier version did not have."""
    if credentials.token_keys:
        return credentials
    token_keys = f"k-{secrets.token_hex(4)}:{secrets.token_urlsafe(32)}"
    return msgspec.structs.replace(credentials, token_keys=token_keys)


def read_encryption_keys(file: Path | None, environ: Mapping[str, str]) -> str:
    """Return SESSION_ENCRYPTION_KEY for a slot; empty if sessions are not encrypted."""
    if file is None:
        return environ.get("SESSION_ENCRYPTION_KEY", "")
    try:
        keys = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError) as fault:
        raise EnvironmentFault(
            f"session_encryption_key_file {file} cannot be read: {fault}"
        ) from None
    if not keys:
        raise EnvironmentFault(
            f"session_encryption_key_file {file} is empty: put a key in it "
            "(`python -m isshoni.backend --make-key` makes one), or remove the setting"
        )
    return keys
