"""A slot whose only program hangs: all else of the environment is observed all the same."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from isshoni.engine.environment import Environment, observe
from isshoni.engine.sqlite_journal import SqliteJournal
from isshoni.engine.standby import stand_by
from isshoni.environments.aws.backends import InstanceBackends
from isshoni.environments.aws.groups import Group, Groups, Instance
from isshoni.environments.backend_api import HttpBackends
from isshoni.rollout.model import COLOURS, Colour, Weights
from isshoni.rollout.ports import Backends
from tests.support.fake_environment import FakePorts, World


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


class SilentInstances:
    """Both slots have one instance on this machine; in green another one is about to end."""

    async def observe(self) -> dict[Colour, Group]:
        one = Instance("i-1", "127.0.0.1", "InService")
        ending = replace(one, id="i-2", state="Terminating:Wait")
        return {"blue": Group("v1", 1, (one,)), "green": Group("v2", 1, (one, ending))}


def on_this_machine(port: int) -> Backends:
    urls: dict[Colour, str] = {colour: f"http://127.0.0.1:{port}" for colour in COLOURS}
    return HttpBackends(urls, "token", lambda _: True)


def on_aws(port: int) -> Backends:
    return InstanceBackends(cast(Groups, SilentInstances()), port, lambda: "token")


@pytest.mark.parametrize(
    ("connect", "is_standby"), [(on_this_machine, False), (on_this_machine, True), (on_aws, False)]
)
async def test_a_slot_whose_only_program_hangs_hides_nothing_else(
    connect: Callable[[int], Backends], is_standby: bool, silent_port: int, tmp_path: Path
) -> None:
    ports = FakePorts(World())
    with closing(SqliteJournal(tmp_path / "journal.sqlite")) as journal:
        environment = Environment(ports, ports, connect(silent_port), ports, journal)
        seen = await observe(stand_by(environment) if is_standby else environment)
    assert seen.weights == Weights(100, 0)
    assert seen.backends == {"blue": None, "green": None}
