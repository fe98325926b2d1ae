"""Settings of the local environment."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from isshoni.backend.security.embed_hosts import parse_embed_hosts
from isshoni.environments.local.ports import Ports as Ports
from isshoni.environments.local.process_names import MAX_PROCESSES
from isshoni.environments.local.region_config import RegionConfig, check_regions
from isshoni.relay.core.session_key import parse_key_rule
from isshoni.rollout.model import PROFILES, Relaying
from isshoni.rollout.plan import Settings

MAX_REASON_BYTES = 123
"""A close frame has at most 125 bytes (RFC 6455, 5.5)."""


class LocalConfig(Settings):
    """Settings of the local environment: its files, ports and programs."""

    state_dir: Path = Path(".isshoni")
    """Data, logs, sockets and the journal."""
    allow_network_filesystem: bool = False
    """Allow `state_dir` on NFS or similar; only safe if no other machine uses it."""
    host: str = "127.0.0.1"
    """The address that the load balancer listens on."""
    ports: Ports = Ports()
    tls_certificate: Path | None = None
    """A PEM file with the certificate of the load balancer, and its chain; None: no TLS."""
    tls_key: Path | None = None
    """The PEM file with its key."""
    tls_port: Annotated[int, Field(ge=1, le=65_535)] = 8443
    """The port for TLS, on `host`; the `public` port without TLS is then on loopback only."""
    redis_url: str | None = None
    """The URL of your own Redis; None: a Redis server is started."""
    redis_server: Path | None = None
    """A redis-server or valkey-server to start; None: the one that is installed with us."""
    redis_fsync: Literal["always", "everysec"] = "always"
    """`always`: acknowledged messages survive a power cut. `everysec`: a power cut loses what
    was written since the last fsync. While an fsync is slow, Redis delays even its write by up
    to two seconds; then kill -9 loses those too. docs/redis.md has the figures."""
    redis_accept: tuple[Literal["eviction", "persistence", "replicas"], ...] = ()
    """Names of findings about your own Redis that you accept; see docs/redis.md."""
    session_expiry_days: Annotated[float, Field(ge=0, le=3650)] = 0.0
    """Days after which a session that no client used expires; 0: never. At least 1 otherwise."""
    max_sessions_stored: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    """The most sessions that are stored: a new one beyond it is refused; 0: no bound."""
    session_encryption_key_file: Path | None = None
    """A file with the keys that encrypt sessions at rest, as in SESSION_ENCRYPTION_KEY;
    None: that variable in the environment of `up` or `deploy`."""
    envoy: Path | None = None
    """An Envoy to start; None: the one that is installed with us."""
    auth: bool = False
    """Require session tokens (`isshoni token` makes them); otherwise any client may join."""
    origins: tuple[str, ...] = ()
    """Origins of pages that may open a WebSocket; empty: pages of the same host."""
    embed_hosts: tuple[str, ...] = ()
    """Hosts whose pages may be embedded in the canvas; empty: none."""
    stop_seconds: Annotated[float, Field(gt=0, le=3600)] = 15.0
    """Seconds between SIGTERM and SIGKILL when a program is stopped."""
    hang_seconds: Annotated[float, Field(ge=0, le=3600)] = 30.0
    """Seconds without any answer after which a program is killed and restarted; 0: never."""
    processes: int | Literal["auto"] = 1
    """How many processes serve a slot; `auto`: one for each core. A release keeps the number
    that it was started with."""
    relay: bool = True
    """Run a relay in front of programs run by `--command`, which moves their clients without a
    close. Not for commands that take `{admin_port}`: they move their clients themselves."""
    relay_processes: int | Literal["auto"] = 1
    """How many processes the relay has; `auto`: one for each core. A session's clients share one,
    so `session_key` must tell sessions apart."""
    profile: str = "auto"
    """What the relay knows of their protocol; `auto`: it finds out (docs/profiles.md)."""
    session_key: str = "path"
    """What the clients of one session share: `path`, `segment:N` of the path (from 1),
    `query:NAME`, `cookie:NAME` or `header:NAME`. They move together."""
    preamble_messages: Annotated[int, Field(ge=0, le=100)] = 0
    """How many of a client's first messages a new program is sent again, with `plain`."""
    probe_path: str | None = None
    """A path where each process of a candidate must open a WebSocket before it gets clients, like
    `/ws/probe`; None: only the ready path is asked."""
    drain_close_code: int = 1012
    """The close code for clients that the relay could not move when their program ends."""
    drain_close_reason: str = ""
    """The reason that they get with it."""
    warm_spare: bool = True
    """Keep a second, loaded process beside the serving one, which takes over at once when
    that one dies. Not for programs run by `--command`, which cannot do that."""

    regions: Mapping[str, RegionConfig] = Field(default_factory=dict)
    """Two regions by name, each a whole platform; none: one platform without regions."""

    @field_validator("regions")
    @classmethod
    def _are_two_or_none(cls, regions: Mapping[str, RegionConfig]) -> Mapping[str, RegionConfig]:
        check_regions(regions)
        return regions

    @model_validator(mode="after")
    def _refuse_what_regions_lack(self) -> Self:
        if self.regions and self.redis_url is not None:
            raise ValueError("redis_url and regions exclude each other: each region starts its own")
        if self.regions and self.tls_certificate is not None:
            raise ValueError("tls_certificate and regions exclude each other on one machine")
        return self

    @model_validator(mode="after")
    def _has_both_parts_of_tls(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            missing = "tls_certificate" if self.tls_certificate is None else "tls_key"
            raise ValueError(f"{missing} is missing: TLS needs tls_certificate and tls_key")
        if self.tls_certificate is not None and self.tls_port in dict(self.ports).values():
            raise ValueError(f"tls_port {self.tls_port} is one of `ports` already")
        return self

    @field_validator("session_expiry_days")
    @classmethod
    def _is_a_day_or_more(cls, days: float) -> float:
        if 0 < days < 1:
            raise ValueError("must be 1 or more, or 0 for never")
        return days

    @field_validator("embed_hosts")
    @classmethod
    def _are_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        parse_embed_hosts(hosts)
        return hosts

    @field_validator("session_key")
    @classmethod
    def _names_a_key(cls, key: str) -> str:
        parse_key_rule(key)
        return key

    @field_validator("probe_path")
    @classmethod
    def _is_a_path(cls, path: str | None) -> str | None:
        if path is None or re.fullmatch(r"/[!-~]*", path):
            return path
        raise ValueError(
            f"{path!r} is no path: it begins with `/`, like `/ws/probe`, and has visible ASCII "
            "characters only (others percent-encoded)"
        )

    @field_validator("profile")
    @classmethod
    def _is_a_profile(cls, name: str) -> str:
        if name not in PROFILES:
            raise ValueError(f"must be one of: {', '.join(PROFILES)}")
        return name

    @field_validator("drain_close_code")
    @classmethod
    def _may_be_sent(cls, code: int) -> int:
        if code in (1000, 1001, 1011, 1012, 1013) or 3000 <= code <= 4999:
            return code
        raise ValueError("must be 1000, 1001, 1011, 1012, 1013, or from 3000 to 4999")

    @field_validator("drain_close_reason")
    @classmethod
    def _fits_a_close_frame(cls, reason: str) -> str:
        if len(reason.encode()) > MAX_REASON_BYTES:
            raise ValueError(f"must have at most {MAX_REASON_BYTES} bytes as UTF-8")
        return reason

    @field_validator("processes", "relay_processes", mode="before")
    @classmethod
    def _is_a_count(cls, value: Any) -> Any:
        if value == "auto" or (type(value) is int and 1 <= value <= MAX_PROCESSES):
            return value
        raise ValueError(f'must be a whole number from 1 to {MAX_PROCESSES}, or "auto"')

    @property
    def plain_host(self) -> str:
        """Return the address of the listener without TLS."""
        return self.host if self.tls_certificate is None else "127.0.0.1"

    @property
    def relaying(self) -> Relaying | None:
        """Return how sockets of programs run by `--command` are relayed; None: they are not."""
        if not self.relay:
            return None
        return Relaying(
            self.profile, self.session_key, self.preamble_messages, probe_path=self.probe_path
        )

    @property
    def process_count(self) -> int:
        """Return the number of processes that a release is started with."""
        return _count(self.processes)

    @property
    def relay_count(self) -> int:
        """Return the number of processes that the relay should have."""
        return _count(self.relay_processes)


def _count(processes: int | Literal["auto"]) -> int:
    return min(MAX_PROCESSES, count_cores()) if processes == "auto" else processes


def count_cores() -> int:
    """Return the number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1
