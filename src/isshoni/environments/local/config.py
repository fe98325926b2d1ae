"""Settings of the local environment."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from isshoni.rollout.plan import Settings

Port = Annotated[int, Field(ge=0, le=65_535)]
"""0: any free one, chosen at the first `up` and kept."""


class Ports(Settings):
    """Where everything listens; all on `host` but the admin ports, which are on loopback."""

    public: Port = 8080
    """The load balancer: the address people open."""
    balancer_admin: Port = 8081
    redis: Port = 8082
    blue: Port = 8083
    blue_admin: Port = 8084
    green: Port = 8085
    green_admin: Port = 8086

    @field_validator("*")
    @classmethod
    def _differ(cls, port: int, info: ValidationInfo) -> int:
        for name, taken in info.data.items():
            if port and port == taken:
                raise ValueError(f"{name} has this port already; each needs its own")
        return port


class LocalConfig(Settings):
    """The local environment: where its files are and what it runs."""

    state_dir: Path = Path(".isshoni")
    """Data, logs, sockets and the journal."""
    allow_network_filesystem: bool = False
    """Allow `state_dir` on NFS or similar; only safe if no other machine uses it."""
    host: str = "127.0.0.1"
    """What the load balancer listens on."""
    ports: Ports = Ports()
    redis_url: str | None = None
    """A Redis of your own; None: one is started for you."""
    redis_server: Path | None = None
    """A redis-server or valkey-server to start; None: the one that came with us."""
    redis_fsync: Annotated[str, Field(pattern="^(always|everysec)$")] = "always"
    """`always`: acknowledged survives a power cut. `everysec`: a power cut costs what came
    since the last fsync; and while an fsync is slow, Redis puts even its write off, by up to
    two seconds, which kill -9 then costs too. docs/redis.md has the figures."""
    redis_accept: tuple[Literal["eviction", "persistence", "replicas"], ...] = ()
    """Names of findings (docs/redis.md) about your Redis that you accept."""
    session_encryption_key_file: Path | None = None
    """A file with the keys that sessions are encrypted with at rest, as in
    SESSION_ENCRYPTION_KEY; None: that variable, of whoever runs `up` or `deploy`."""
    envoy: Path | None = None
    """An Envoy to start; None: the one that came with us."""
    auth: bool = False
    """Ask for session tokens (`isshoni token` makes them); else anybody may enter."""
    origins: tuple[str, ...] = ()
    """Pages that may open a WebSocket; none named: those of the same host."""
    stop_seconds: Annotated[float, Field(gt=0, le=3600)] = 15.0
    """What a program has between SIGTERM and SIGKILL."""
    hang_seconds: Annotated[float, Field(ge=0, le=3600)] = 30.0
    """Seconds without any answer after which a program is ended and started again;
    0: never."""
    warm_spare: bool = True
    """Keep a second, loaded process beside the one that people are on, which takes over at
    once when that dies. Not for programs of your own, which know nothing of it."""
