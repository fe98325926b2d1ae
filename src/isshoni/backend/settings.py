"""Settings of one backend process, from its environment."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from isshoni.backend.errors import SettingsFault
from isshoni.backend.redis_link import (
    Durability,
    InvalidRedisUrl,
    LinkSettings,
    parse_redis_url,
)

COLOURS = ("blue", "green")
WEEK = 604_800.0
"""In seconds."""
MIN_TICKET_SECRET_BYTES = 32
"""What HS256 asks for (RFC 7518, 3.2)."""


@dataclass(frozen=True)
class BackendSettings:
    """Everything a backend process is told; see docs/admin-api.md."""

    admin_token: str
    ticket_secret: str
    version: str = "dev"
    colour: str = "blue"
    host: str = "127.0.0.1"
    port: int = 9001
    admin_host: str = "127.0.0.1"
    admin_port: int = 9101
    redis_url: str = "redis://127.0.0.1:6379/0"
    drain_seconds: float = 10.0
    heartbeat_seconds: float = 20.0
    offline_window_seconds: float = 3600.0
    redis_durability: Durability | None = None


def read_settings(environment: Mapping[str, str]) -> BackendSettings:
    """Read and validate the settings whole.

    Raises `SettingsFault`, which names every faulty variable at once.
    """
    reader = _Reader(environment)
    settings = BackendSettings(
        admin_token=reader.secret("ISSHONI_ADMIN_TOKEN", min_bytes=1),
        ticket_secret=reader.secret("ISSHONI_TICKET_SECRET", min_bytes=MIN_TICKET_SECRET_BYTES),
        version=reader.text("ISSHONI_VERSION", "dev"),
        colour=reader.colour("ISSHONI_COLOUR", "blue"),
        host=reader.text("ISSHONI_HOST", "127.0.0.1"),
        port=reader.port("ISSHONI_PORT", 9001),
        admin_host=reader.text("ISSHONI_ADMIN_HOST", "127.0.0.1"),
        admin_port=reader.port("ISSHONI_ADMIN_PORT", 9101),
        redis_url=reader.redis_url("REDIS_URL", "redis://127.0.0.1:6379/0"),
        drain_seconds=reader.seconds("ISSHONI_DRAIN_SECONDS", 10.0),
        heartbeat_seconds=reader.seconds("ISSHONI_HEARTBEAT_SECONDS", 20.0),
        offline_window_seconds=reader.seconds("ISSHONI_OFFLINE_WINDOW_SECONDS", 3600.0, WEEK),
        redis_durability=reader.durability(),
    )
    if settings.port and (settings.host, settings.port) == (
        settings.admin_host,
        settings.admin_port,
    ):
        reader.faults.append(
            f"ISSHONI_ADMIN_PORT: {settings.port} is ISSHONI_PORT too; the admin API needs its own"
        )
    if reader.faults:
        raise SettingsFault(reader.faults)
    return settings


class _Reader:
    """A reader that collects faults instead of stopping at the first."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.faults: list[str] = []

    def text(self, name: str, default: str) -> str:
        return self._environment.get(name) or default

    def secret(self, name: str, *, min_bytes: int) -> str:
        value = self._environment.get(name, "")
        if len(value.encode()) < min_bytes:
            self.faults.append(f"{name}: required, {min_bytes} bytes or more")
        return value

    def colour(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if value not in COLOURS:
            self.faults.append(f"{name}: {value!r} is not one of: {', '.join(COLOURS)}")
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
        wanted = Durability(replicas, fsync == "yes", timeout_seconds)
        return wanted if wanted.replicas or wanted.fsync else None

    def _count(self, name: str) -> int:
        value = self.text(name, "0")
        if not value.isascii() or not value.isdigit() or len(value) > 2:
            self.faults.append(f"{name}: {value!r} is not a number, 0 to 99")
            return 0
        return int(value)
