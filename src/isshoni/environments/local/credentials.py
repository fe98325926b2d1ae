"""The secrets of one local environment: made once, kept in a file of its owner's."""

import fcntl
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec

from isshoni.environments.local.files import read_bytes, write_atomically
from isshoni.rollout.errors import EnvironmentFault


class Credentials(msgspec.Struct, frozen=True):
    """What the programs of an environment know each other by."""

    admin_token: str
    ticket_secret: str
    redis_password: str
    token_keys: str = ""
    """`KEY_ID:SECRET,…` for session tokens: the first signs, all verify. To rotate, put a
    new one in front, deploy, and take the old one out once its tokens are over."""


def load_credentials(state_dir: Path) -> Credentials:
    """Read `secrets.json`, or make it. Two at once get the same."""
    path = state_dir / "secrets.json"
    with (state_dir / "secrets.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        content = read_bytes(path)
        kept = None if content is None else _parse(content, path)
        whole = _complete(kept or Credentials(*(secrets.token_urlsafe(32) for _ in range(3))))
        if whole != kept:
            write_atomically(path, msgspec.json.encode(whole))
        return whole


def _complete(credentials: Credentials) -> Credentials:
    """Add what the version that wrote them did not know."""
    if credentials.token_keys:
        return credentials
    token_keys = f"k-{secrets.token_hex(4)}:{secrets.token_urlsafe(32)}"
    return msgspec.structs.replace(credentials, token_keys=token_keys)


def _parse(content: bytes, path: Path) -> Credentials:
    try:
        return msgspec.json.decode(content, type=Credentials)
    except msgspec.DecodeError as fault:
        raise EnvironmentFault(
            f"{path} is damaged ({fault}): bring it back from a copy, or stop the environment "
            "and remove it; clients then have to reload"
        ) from None


def read_encryption_keys(file: Path | None, environ: Mapping[str, str]) -> str:
    """Give the value of SESSION_ENCRYPTION_KEY for a slot; empty when sessions are plain."""
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
            "(`python -m isshoni.backend --make-key` makes one), or take the setting out"
        )
    return keys
