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


def load_credentials(state_dir: Path) -> Credentials:
    """Read `secrets.json`, or make it. Two at once get the same."""
    path = state_dir / "secrets.json"
    with (state_dir / "secrets.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        content = read_bytes(path)
        if content is not None:
            return _parse(content, path)
        made = Credentials(*(secrets.token_urlsafe(32) for _ in Credentials.__struct_fields__))
        write_atomically(path, msgspec.json.encode(made))
        return made


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
