"""Reading environment variables: every fault is named, and none is raised."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import cast, get_args

from isshoni.backend.errors import BadKeys
from isshoni.backend.security.auth import MIN_SECRET_BYTES, TokenKey
from isshoni.backend.security.embed_hosts import BadEmbedHost, parse_embed_hosts
from isshoni.backend.security.origins import ANY_ORIGIN
from isshoni.backend.security.vault import Vault
from isshoni.backend.settings.file_types import FileTypes, is_type_pattern
from isshoni.backend.store.redis.link import (
    Durability,
    InvalidRedisUrl,
    LinkSettings,
    parse_redis_url,
)
from isshoni.backend.store.redis.link.durability import WaitPolicy
from isshoni.session.identifiers import is_identifier
from isshoni.session.region import is_region_name

COLOURS = ("blue", "green")
AUTH_MODES = ("required", "guest")


class EnvironmentReader:
    """A reader that collects faults instead of stopping at the first."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.faults: list[str] = []

    def text(self, name: str, default: str) -> str:
        return self._environment.get(name) or default

    def names(self, name: str, known: Sequence[str]) -> tuple[str, ...]:
        """Read a comma-separated list of names, each of them in `known`."""
        names = tuple(filter(None, (part.strip() for part in self.text(name, "").split(","))))
        for one in names:
            if one not in known:
                self.faults.append(f"{name}: {one!r} is not one of: {', '.join(known)}")
        return names

    def secret(self, name: str, *, min_bytes: int) -> str:
        value = self._environment.get(name, "")
        if len(value.encode()) < min_bytes:
            self.faults.append(f"{name}: required, {min_bytes} bytes or more")
        return value

    def optional_secret(self, name: str, *, min_bytes: int) -> str:
        return self.secret(name, min_bytes=min_bytes) if self._environment.get(name) else ""

    def vault(self, name: str) -> Vault:
        try:
            return Vault.parse(self._environment.get(name, ""))
        except BadKeys as fault:
            self.faults.append(str(fault))
            return Vault()

    def colour(self, name: str, default: str) -> str:
        return self.choice(name, default, COLOURS)

    def process(self, name: str) -> str:
        """Return the name of a process of a colour, like `green-1`; empty if it is not set."""
        value = self.text(name, "")
        if value and not re.fullmatch(rf"({'|'.join(COLOURS)})-\d{{1,2}}", value):
            self.faults.append(f"{name}: {value!r} is not a colour and a number, like green-1")
        return value

    def region(self, name: str) -> str:
        """Return the name of a region, like `east`; empty if it is not set."""
        value = self.text(name, "")
        if value and not is_region_name(value):
            self.faults.append(
                f"{name}: {value!r} is no name of a region: up to 32 lower-case letters, digits "
                "and -, a letter first, and no colour"
            )
        return value

    def choice(self, name: str, default: str, known: Sequence[str]) -> str:
        value = self.text(name, default)
        if value not in known:
            self.faults.append(f"{name}: {value!r} is not one of: {', '.join(known)}")
        return value

    def port(self, name: str, default: int) -> int:
        value = self.text(name, str(default))
        if not value.isascii() or not value.isdigit() or int(value) > 65_535:
            self.faults.append(f"{name}: {value!r} is not a port, 0 to 65535")
            return default
        return int(value)

    def seconds(self, name: str, default: float, most: float = 3600) -> float:
        value = self.text(name, str(default))
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not 0 < number <= most:
            self.faults.append(
                f"{name}: {value!r} is not a number of seconds over 0, up to {most:g}"
            )
            return default
        return number

    def number(self, name: str, default: float, *, least: float = 1.0, most: float = 1e9) -> float:
        value = self.text(name, f"{default:.15g}")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            self.faults.append(f"{name}: {value!r} is not a number from {least:g} to {most:g}")
            return default
        return number

    def days_or_zero(self, name: str, most: float = 3650) -> float:
        """Read a number of days from 1, or 0 for no limit."""
        number = self.number(name, 0, least=0, most=most)
        if 0 < number < 1:
            self.faults.append(f"{name}: {number:g} is less than a day; 0 stands for no limit")
            return 0.0
        return number

    def token_keys(self, name: str) -> tuple[TokenKey, ...]:
        keys: list[TokenKey] = []
        for entry in filter(None, self._environment.get(name, "").split(",")):
            # Never the entry itself in a message: it holds a secret.
            key_id, _, secret = entry.strip().partition(":")
            if not is_identifier(key_id) or len(secret.encode()) < MIN_SECRET_BYTES:
                self.faults.append(
                    f"{name}: entry {len(keys) + 1} must be KEY_ID:SECRET, "
                    f"the secret {MIN_SECRET_BYTES} bytes or more"
                )
            elif any(key.key_id == key_id for key in keys):
                self.faults.append(f"{name}: two keys are called {key_id!r}")
            keys.append(TokenKey(key_id, secret))
        return tuple(keys)

    def auth_required(self, name: str, keys: tuple[TokenKey, ...]) -> bool:
        value = self.text(name, "required" if keys else "guest")
        if value not in AUTH_MODES:
            self.faults.append(f"{name}: {value!r} is not one of: {', '.join(AUTH_MODES)}")
        elif value == "required" and not keys:
            self.faults.append(f"{name}: required, but ISSHONI_TOKEN_KEYS holds no key")
        return value == "required"

    def origins(self, name: str, *, allows_any: bool = True) -> tuple[str, ...]:
        entries = [part.strip() for part in self._environment.get(name, "").split(",")]
        origins = tuple(entry.lower() for entry in entries if entry)
        for origin in origins:
            scheme, _, host = origin.partition("://")
            if origin == ANY_ORIGIN and allows_any:
                continue
            if scheme not in ("http", "https") or not _is_host(host):
                self.faults.append(
                    f"{name}: {origin!r} is not an origin like https://a.example, without a path"
                )
        return origins

    def embed_hosts(self, name: str) -> tuple[str, ...]:
        """Read a comma-separated list of host names; return them as origins."""
        origins: list[str] = []
        for entry in self._environment.get(name, "").split(","):
            try:
                origins += parse_embed_hosts([entry])
            except BadEmbedHost as fault:
                self.faults.append(f"{name}: {fault}")
        return tuple(dict.fromkeys(origins))

    def file_types(self, name: str) -> FileTypes:
        entries = [part.strip().lower() for part in self._environment.get(name, "").split(",")]
        patterns = tuple(entry for entry in entries if entry)
        for pattern in patterns:
            if not is_type_pattern(pattern):
                self.faults.append(
                    f"{name}: {pattern!r:.80} is not *, a type like application/pdf, or image/*"
                )
        return FileTypes(patterns) if patterns else FileTypes()

    def redis_url(self, name: str, default: str) -> str:
        value = self.text(name, default)
        try:
            parse_redis_url(value)
        except InvalidRedisUrl as fault:
            self.faults.append(f"{name}: {fault}")
        return value

    def durability(self) -> Durability | None:
        replicas = self._count("ISSHONI_REDIS_WAIT_REPLICAS")
        fsync = self.text("ISSHONI_REDIS_WAIT_FSYNC", "no")
        if fsync not in ("yes", "no"):
            self.faults.append(f"ISSHONI_REDIS_WAIT_FSYNC: {fsync!r} is neither yes nor no")
        # A write may wait for the one before it too, and must not look overdue by then.
        timeout_seconds = self.seconds(
            "ISSHONI_REDIS_WAIT_SECONDS", 1.0, LinkSettings().command_timeout_seconds / 2
        )
        policy = self.text("ISSHONI_REDIS_WAIT", "required")
        if policy == "off":
            if fsync == "yes":
                self.faults.append(
                    "ISSHONI_REDIS_WAIT: off and ISSHONI_REDIS_WAIT_FSYNC=yes exclude"
                )
            return None
        if policy not in get_args(WaitPolicy):
            self.faults.append(
                f"ISSHONI_REDIS_WAIT: {policy!r:.80} is none of required, best-effort, off"
            )
        wanted = Durability(replicas, fsync == "yes", timeout_seconds, cast(WaitPolicy, policy))
        return wanted if wanted.replicas or wanted.fsync else None

    def _count(self, name: str) -> int:
        value = self.text(name, "0")
        if not value.isascii() or not value.isdigit() or len(value) > 2:
            self.faults.append(f"{name}: {value!r} is not a number, 0 to 99")
            return 0
        return int(value)


def _is_host(text: str) -> bool:
    return bool(text) and not set(text) & set("/?#@ ")
