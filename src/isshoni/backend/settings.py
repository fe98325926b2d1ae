"""Settings of one backend process, from its environment."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from isshoni.backend.auth import MIN_SECRET_BYTES, TokenKey
from isshoni.backend.errors import SettingsFault
from isshoni.backend.limits import Limits
from isshoni.backend.origins import ANY_ORIGIN
from isshoni.backend.token_bucket import Rate
from isshoni.session.identifiers import is_identifier
from isshoni.session.messages import MAX_FRAME_BYTES, MESSAGES_AFTER_PAUSE

COLOURS = ("blue", "green")
AUTH_MODES = ("required", "guest")
TOKEN_KEYS = "ISSHONI_TOKEN_KEYS"  # noqa: S105 (a name, not a secret)


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
    token_keys: tuple[TokenKey, ...] = ()
    auth_required: bool = False
    origins: tuple[str, ...] = ()
    trusted_proxies: int = 0
    admin_allow_public: bool = False
    limits: Limits = field(default_factory=Limits)


def read_settings(environment: Mapping[str, str]) -> BackendSettings:
    """Read and validate the settings whole.

    Raises `SettingsFault`, which names every faulty variable at once.
    """
    reader = _Reader(environment)
    token_keys = reader.token_keys(TOKEN_KEYS)
    settings = BackendSettings(
        admin_token=reader.secret("ISSHONI_ADMIN_TOKEN", min_bytes=1),
        ticket_secret=reader.secret("ISSHONI_TICKET_SECRET", min_bytes=MIN_SECRET_BYTES),
        version=reader.text("ISSHONI_VERSION", "dev"),
        colour=reader.colour("ISSHONI_COLOUR", "blue"),
        host=reader.text("ISSHONI_HOST", "127.0.0.1"),
        port=reader.port("ISSHONI_PORT", 9001),
        admin_host=reader.text("ISSHONI_ADMIN_HOST", "127.0.0.1"),
        admin_port=reader.port("ISSHONI_ADMIN_PORT", 9101),
        redis_url=reader.redis_url("REDIS_URL", "redis://127.0.0.1:6379/0"),
        drain_seconds=reader.seconds("ISSHONI_DRAIN_SECONDS", 10.0),
        heartbeat_seconds=reader.seconds("ISSHONI_HEARTBEAT_SECONDS", 20.0),
        token_keys=token_keys,
        auth_required=reader.auth_required("ISSHONI_AUTH", token_keys),
        origins=reader.origins("ISSHONI_ORIGINS"),
        trusted_proxies=int(reader.number("ISSHONI_TRUSTED_PROXIES", 0, least=0, most=10)),
        admin_allow_public=reader.text("ISSHONI_ADMIN_ALLOW_PUBLIC", "0") == "1",
        limits=_read_limits(reader),
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


def read_token_keys(text: str) -> tuple[TokenKey, ...]:
    """Read `KEY_ID:SECRET,…`; raises `SettingsFault`, which tells no secret."""
    reader = _Reader({TOKEN_KEYS: text})
    keys = reader.token_keys(TOKEN_KEYS)
    if reader.faults:
        raise SettingsFault(reader.faults)
    return keys


def _read_limits(reader: "_Reader") -> Limits:
    default = Limits()

    def count(name: str, default: int, most: float = 1e9) -> int:
        return int(reader.number(f"ISSHONI_{name}", default, most=most))

    def rate(name: str, default: Rate, least: float = 1.0) -> Rate:
        per_second = reader.number(f"ISSHONI_{name}_PER_SECOND", default.per_second)
        return Rate(per_second, reader.number(f"ISSHONI_{name}_BURST", default.burst, least=least))

    return Limits(
        connections=count("MAX_CONNECTIONS", default.connections),
        sessions=count("MAX_SESSIONS", default.sessions),
        connections_per_session=count(
            "MAX_CONNECTIONS_PER_SESSION", default.connections_per_session
        ),
        connections_per_address=count(
            "MAX_CONNECTIONS_PER_ADDRESS", default.connections_per_address
        ),
        hello_seconds=reader.seconds("ISSHONI_HELLO_SECONDS", default.hello_seconds),
        chat=rate("CHAT", default.chat, MESSAGES_AFTER_PAUSE),
        requests=rate("REQUESTS", default.requests),
        refusals=rate("REFUSALS", default.refusals),
        canvas_frames=rate("CANVAS_FRAMES", default.canvas_frames),
        canvas_frame_bytes=rate("CANVAS_FRAME_BYTES", default.canvas_frame_bytes),
        awareness_per_second=reader.number(
            "ISSHONI_AWARENESS_PER_SECOND", default.awareness_per_second
        ),
        awareness_bytes=count("MAX_AWARENESS_BYTES", default.awareness_bytes, MAX_FRAME_BYTES),
        canvas_bytes=count("MAX_CANVAS_BYTES", default.canvas_bytes),
    )


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

    def seconds(self, name: str, default: float) -> float:
        value = self.text(name, str(default))
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not 0 < number <= 3600:
            self.faults.append(f"{name}: {value!r} is not a number of seconds over 0, up to 3600")
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

    def origins(self, name: str) -> tuple[str, ...]:
        entries = [part.strip() for part in self._environment.get(name, "").split(",")]
        origins = tuple(entry.lower() for entry in entries if entry)
        for origin in origins:
            scheme, _, host = origin.partition("://")
            if origin != ANY_ORIGIN and (scheme not in ("http", "https") or not _is_host(host)):
                self.faults.append(
                    f"{name}: {origin!r} is not an origin like https://a.example, without a path"
                )
        return origins

    def redis_url(self, name: str, default: str) -> str:
        value = self.text(name, default)
        # Not the value itself in the message: it may hold a password.
        if urlsplit(value).scheme not in ("redis", "rediss", "unix"):
            self.faults.append(f"{name}: must start with redis://, rediss:// or unix://")
        return value


def _is_host(text: str) -> bool:
    return bool(text) and not set(text) & set("/?#@ ")
