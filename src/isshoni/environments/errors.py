"""Errors of every kind of environment."""

from collections.abc import Sequence

from isshoni.errors import ExitCode
from isshoni.rollout.errors import EnvironmentFault


class PortTaken(EnvironmentFault):
    """Another program listens on a port that is needed."""

    def __init__(self, port: int, setting: str, holder: str | None) -> None:
        by = f" by {holder}" if holder else ""
        super().__init__(
            f"port {port} is in use{by}: stop that program, or set {setting} to another port "
            "(0: any free one)"
        )
        self.port = port
        self.setting = setting
        self.holder = holder


class ProgramNotReady(EnvironmentFault):
    """A program was started, but died or was not ready in time."""

    def __init__(self, name: str, why: str, log: str, lines: Sequence[str] = ()) -> None:
        quoted = "".join(f"\n  {line}" for line in lines)
        super().__init__(f"{name} did not get ready: {why} (its log: {log}){quoted}")
        self.name = name


class ReleaseFault(EnvironmentFault):
    """A release cannot be installed or started; nothing was changed for it."""

    exit_code = ExitCode.REFUSED


class RedisFault(EnvironmentFault):
    """A Redis server does not answer, or refuses the connection."""


class UnfitRedis(RedisFault):
    """Raised for a Redis whose settings may lose acknowledged messages."""

    def __init__(self, shown: str, details: list[str]) -> None:
        super().__init__(
            f"Redis at {shown} is not fit to keep sessions: {'; '.join(details)} "
            "(see docs/redis.md; to accept a finding, list its name in `redis_accept`)"
        )
        self.details = details


class NoFreePort(EnvironmentFault):
    """Every port outside the range of outgoing connections is in use."""

    def __init__(self, first: int, last: int) -> None:
        super().__init__(
            f"no port from {first} to {last} is free: the others are the kernel's, for outgoing "
            "connections (net.ipv4.ip_local_port_range). End programs that listen, or make that "
            "range smaller"
        )
