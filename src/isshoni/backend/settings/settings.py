"""Settings of one backend process, from its environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from isshoni.backend.errors import SettingsFault
from isshoni.backend.security.auth import MIN_SECRET_BYTES, TokenKey
from isshoni.backend.security.vault import Vault
from isshoni.backend.settings.environment_reader import EnvironmentReader
from isshoni.backend.settings.limits import Limits
from isshoni.backend.store.redis.link import Durability
from isshoni.backend.store.redis.requirements import ACCEPTABLE
from isshoni.session.messages import MAX_FRAME_BYTES, MESSAGES_AFTER_PAUSE
from isshoni.session.server.token_bucket import Rate

DEFAULT_REDIS_URL = "redis://127.0.0.1:6379/0"
TOKEN_KEYS = "ISSHONI_TOKEN_KEYS"  # noqa: S105 (a name, not a secret)
BUILT_PAGE = str(Path(__file__).parent.parent / "static")
KEEP_ALIVE_SECONDS = 180.0
"""Longer than a load balancer keeps an idle connection: one that the backend closes while the
balancer sends a request on it is answered 502. The one on AWS keeps them for 120 s."""
WEEK = 604_800.0
"""In seconds."""


@dataclass(frozen=True)
class BackendSettings:
    """All settings of a backend process; docs/admin-api.md lists their variables."""

    admin_token: str
    ticket_secret: str
    version: str = "dev"
    colour: str = "blue"
    process: str = ""
    """Its name among the processes of its colour, like `green-1`; empty: it is the only one."""
    host: str = "127.0.0.1"
    port: int = 9001
    admin_host: str = "127.0.0.1"
    admin_port: int = 9101
    redis_url: str = DEFAULT_REDIS_URL
    drain_seconds: float = 10.0
    heartbeat_seconds: float = 20.0
    keep_alive_seconds: float = KEEP_ALIVE_SECONDS
    """After this an idle HTTP connection is closed."""
    token_keys: tuple[TokenKey, ...] = ()
    auth_required: bool = False
    origins: tuple[str, ...] = ()
    embed_hosts: tuple[str, ...] = ()
    """The origins whose pages may be embedded in the canvas; empty: none."""
    trusted_proxies: int = 0
    admin_allow_public: bool = False
    limits: Limits = field(default_factory=Limits)
    metrics_namespace: str = ""
    """Of CloudWatch; empty: the log carries no metrics."""
    environment: str = ""
    """The name of its environment, a dimension of its metrics; empty: they have none."""
    offline_window_seconds: float = 3600.0
    session_expiry_days: float = 0.0
    """How long a session may go unused before it expires; 0: for ever."""
    max_sessions_stored: int = 0
    """The most sessions that the deployment stores; 0: no bound."""
    redis_durability: Durability | None = None
    redis_accept: tuple[str, ...] = ()
    """Requirements on Redis (docs/redis.md) that the operator has waived, by name."""
    recovery_seconds: float = 5.0
    """How long clients are asked for messages that a failover lost."""
    log_secret: str = ""
    """The key of the marks on chat events; empty: derived from the ticket secret."""
    vault: Vault = field(default_factory=Vault)
    """The keys of SESSION_ENCRYPTION_KEY."""
    region: str = ""
    """The name of its region; empty: the platform has only one."""
    region_alternatives: tuple[str, ...] = ()
    """The origins of the other regions."""
    static_dir: str = BUILT_PAGE
    """Where the built page is."""


def read_settings(environment: Mapping[str, str]) -> BackendSettings:
    """Read and validate all settings.

    Raises `SettingsFault`, which names every faulty variable at once.
    """
    reader = EnvironmentReader(environment)
    token_keys = reader.token_keys(TOKEN_KEYS)
    settings = BackendSettings(
        admin_token=reader.secret("ISSHONI_ADMIN_TOKEN", min_bytes=1),
        ticket_secret=reader.secret("ISSHONI_TICKET_SECRET", min_bytes=MIN_SECRET_BYTES),
        version=reader.text("ISSHONI_VERSION", "dev"),
        colour=reader.colour("ISSHONI_COLOUR", "blue"),
        process=reader.process("ISSHONI_PROCESS"),
        host=reader.text("ISSHONI_HOST", "127.0.0.1"),
        port=reader.port("ISSHONI_PORT", 9001),
        admin_host=reader.text("ISSHONI_ADMIN_HOST", "127.0.0.1"),
        admin_port=reader.port("ISSHONI_ADMIN_PORT", 9101),
        redis_url=reader.redis_url("REDIS_URL", DEFAULT_REDIS_URL),
        drain_seconds=reader.seconds("ISSHONI_DRAIN_SECONDS", 10.0),
        heartbeat_seconds=reader.seconds("ISSHONI_HEARTBEAT_SECONDS", 20.0),
        keep_alive_seconds=reader.seconds("ISSHONI_KEEP_ALIVE_SECONDS", KEEP_ALIVE_SECONDS),
        token_keys=token_keys,
        auth_required=reader.auth_required("ISSHONI_AUTH", token_keys),
        origins=reader.origins("ISSHONI_ORIGINS"),
        embed_hosts=reader.embed_hosts("ISSHONI_EMBED_HOSTS"),
        trusted_proxies=int(reader.number("ISSHONI_TRUSTED_PROXIES", 0, least=0, most=10)),
        admin_allow_public=reader.text("ISSHONI_ADMIN_ALLOW_PUBLIC", "0") == "1",
        metrics_namespace=reader.text("ISSHONI_METRICS_NAMESPACE", ""),
        environment=reader.text("ISSHONI_ENVIRONMENT", ""),
        limits=_read_limits(reader),
        offline_window_seconds=reader.seconds("ISSHONI_OFFLINE_WINDOW_SECONDS", 3600.0, WEEK),
        session_expiry_days=reader.days_or_zero("ISSHONI_SESSION_EXPIRY_DAYS"),
        max_sessions_stored=int(reader.number("ISSHONI_MAX_SESSIONS_STORED", 0, least=0)),
        redis_durability=reader.durability(),
        redis_accept=reader.names("ISSHONI_REDIS_ACCEPT", ACCEPTABLE),
        recovery_seconds=reader.seconds("ISSHONI_RECOVERY_SECONDS", 5.0),
        log_secret=reader.optional_secret("ISSHONI_LOG_SECRET", min_bytes=MIN_SECRET_BYTES),
        vault=reader.vault("SESSION_ENCRYPTION_KEY"),
        region=reader.region("ISSHONI_REGION"),
        region_alternatives=reader.origins("ISSHONI_REGION_ALTERNATIVES", allows_any=False),
        static_dir=reader.text("ISSHONI_STATIC_DIR", BUILT_PAGE),
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
    """Read `KEY_ID:SECRET,…`; raises `SettingsFault`, which never shows a secret."""
    reader = EnvironmentReader({TOKEN_KEYS: text})
    keys = reader.token_keys(TOKEN_KEYS)
    if reader.faults:
        raise SettingsFault(reader.faults)
    return keys


def _read_limits(reader: EnvironmentReader) -> Limits:
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
        address_bytes=count("MAX_ADDRESS_BYTES", default.address_bytes),
        http=rate("HTTP", default.http),
        file_bytes=count("MAX_FILE_BYTES", default.file_bytes, 64 * 1024 * 1024),
        files_bytes=count("MAX_FILES_BYTES", default.files_bytes),
        file_types=reader.file_types("ISSHONI_FILE_TYPES"),
    )
