"""The settings of the ports of a local environment."""

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from isshoni.rollout.plan import Settings

Port = Annotated[int, Field(ge=0, le=65_535)]
"""0: a free port is chosen at the first `up`, and kept."""


class Ports(Settings):
    """The ports that programs listen on: `public` on `host`, the others on loopback."""

    public: Port = 8080
    """The load balancer: the address that users open."""
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


class RegionPorts(Ports):
    """The ports of a region: all chosen at its first `up`, unless they are set."""

    public: Port = 0
    balancer_admin: Port = 0
    redis: Port = 0
    blue: Port = 0
    blue_admin: Port = 0
    green: Port = 0
    green_admin: Port = 0
