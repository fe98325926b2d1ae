"""Staging as Terraform really makes it, in a local server of the AWS API."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from isshoni.rollout.model import COLOURS, Colour
from tests.support.aws.moto_server import REGION, aws_environment, moto_server
from tests.support.terraform.composition import Composition

DOMAIN = "example.com"
PARALLELISM = "-parallelism=30"
"""Most of an apply is waiting; ten at a time would wait one after another."""

_APPLY = ("apply", "-auto-approve", "-input=false", "-no-color", PARALLELISM)

# Its addresses are this machine's own: what listens on one is that instance.
_LOCAL_NETWORK = """
module "region" {
  cidr = "127.20.0.0/16"
}
"""


@dataclass(frozen=True)
class Applied:
    """A composition that was applied, and the server that it was applied to."""

    composition: Composition
    """The ground."""
    slots: Mapping[Colour, Composition]
    """The compositions of the colours: ready, not applied."""
    endpoint: str

    def client(self, service: str) -> Any:
        """Give a client of the server."""
        return make_client(service, self.endpoint)

    def read_secret(self, name: str) -> str:
        """Read a secret as a machine does."""
        secrets = self.client("secretsmanager")
        value: str = secrets.get_secret_value(SecretId=name)["SecretString"]
        return value

    def start(self, colour: Colour, version: str) -> None:
        """Apply a colour with a version."""
        words = ("-var", f"target_group={colour}", "-var", f"image_version={version}")
        self.slots[colour].must(*_APPLY, *words)

    @property
    def outputs(self) -> dict[str, Any]:
        """What the engine is told."""
        read: dict[str, Any] = json.loads(self.composition.must("output", "-json", "isshoni"))
        return read


@contextlib.contextmanager
def apply_staging(folder: Path) -> Iterator[Applied]:
    """Apply `staging` and start v1 on blue; the server is thrown away at the end.

    Under load the server drops a connection once in some thousand calls. The provider then
    repeats a call that was obeyed already, and stumbles over what it has made itself: begin
    again, once.
    """
    with contextlib.ExitStack() as servers:
        applied = servers.enter_context(_prepare(folder / "first"))
        if applied.composition.run(*_APPLY).code != 0:
            applied = servers.enter_context(_prepare(folder / "second"))
            applied.composition.must(*_APPLY)
        applied.start("blue", "v1")
        yield applied


@contextlib.contextmanager
def _prepare(folder: Path) -> Iterator[Applied]:
    folder.mkdir()
    with moto_server(folder) as endpoint:
        composition = Composition(
            "staging",
            folder,
            endpoint,
            domain_name=f"chat.{DOMAIN}",
            hosted_zone_id=_make_zone(endpoint),
            origins=["https://www.example.com"],
            embed_hosts=["www.youtube.com"],
            emulator=True,
        )
        composition.bend()
        composition.leave_out_lifecycles()
        (composition.folder / "network_override.tf").write_text(_LOCAL_NETWORK)
        composition.init()
        composition.write_variables()
        yield Applied(composition, _make_slots(folder, endpoint), endpoint)


def _make_slots(folder: Path, endpoint: str) -> dict[Colour, Composition]:
    slots = {colour: Composition(f"staging/{colour}", folder, endpoint) for colour in COLOURS}
    for slot in slots.values():
        slot.bend()
        slot.init()
    return slots


def make_client(service: str, endpoint: str) -> Any:
    """Make a client of a server of the AWS API."""
    settings = aws_environment(endpoint)
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
    )


def _make_zone(endpoint: str) -> str:
    zones = make_client("route53", endpoint)
    made = zones.create_hosted_zone(Name=DOMAIN, CallerReference="tests")
    zone: str = made["HostedZone"]["Id"].rpartition("/")[2]
    return zone
