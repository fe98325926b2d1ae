"""Whether the instances of a slot are ready as a standby."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from isshoni.environments.aws.groups import Group, Instance
from isshoni.environments.aws.region_standby import RegionRole, find_standby_trouble, read_role
from isshoni.rollout.failover.model import RegionRecord
from tests.unit.environments.test_backend_api import RawServer

STANDBY: dict[str, Any] = {
    "version": "v1", "state": "standby", "ready": False, "connections": 0,
    "region": {"name": "eu-central-1", "term": 1, "writer": "eu-west-1", "standby_ready": True},
}  # fmt: skip


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    """A listening server, which answers for every instance."""
    raw = RawServer()
    listener = await asyncio.start_server(raw.handle, "127.0.0.1", 0)
    raw.url = str(listener.sockets[0].getsockname()[1])
    yield raw
    listener.close()


def a_group(*states: str, wanted: int = 1) -> Group:
    instances = tuple(Instance(f"i-{n}", "127.0.0.1", state) for n, state in enumerate(states))
    return Group("v1", wanted, instances)


async def test_slot_stands_by_once_each_instance_is_ready_for_it(server: RawServer) -> None:
    server.say(json.dumps(STANDBY).encode())
    group = a_group("InService", "InService", wanted=2)
    assert await find_standby_trouble(group, int(server.url), "token") is None
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("changes", "trouble"),
    [
        ({"region": STANDBY["region"] | {"standby_ready": False, "reason": "link"}}, "i-0: link"),
        ({"region": STANDBY["region"] | {"standby_ready": False}}, "i-0: it does not stand by"),
        ({"region": None}, "i-0: v1 knows nothing of regions: start a newer version"),
    ],
)
async def test_instance_that_is_not_ready_says_why(
    server: RawServer, changes: dict[str, Any], trouble: str
) -> None:
    server.say(json.dumps(STANDBY | changes).encode())
    assert await find_standby_trouble(a_group("InService"), int(server.url), "token") == trouble


async def test_instance_that_does_not_answer_is_named(server: RawServer) -> None:
    server.answer = b"no HTTP"
    trouble = await find_standby_trouble(a_group("InService"), int(server.url), "token")
    assert trouble is not None
    assert trouble.startswith("i-0: no answer at")


@pytest.mark.parametrize("group", [Group(), a_group("Pending"), a_group("InService", wanted=2)])
async def test_slot_without_all_its_instances_does_not_stand_by(group: Group) -> None:
    trouble = await find_standby_trouble(group, 9, "token")
    assert trouble is not None
    assert trouble.endswith("instances are in service")


HERE, THERE = "eu-central-1", "eu-west-1"


@pytest.mark.parametrize(
    ("changes", "role"),
    [
        ({}, RegionRole(RegionRecord(1, THERE), is_standby=True)),
        ({"writer": HERE, "term": 2}, RegionRole(RegionRecord(2, HERE))),
        ({"writer": None, "term": 2}, RegionRole(RegionRecord(2, ""))),
        ({"term": 0, "redis_role": "master"}, RegionRole(RegionRecord(0, HERE))),
        ({"term": 0, "redis_role": "slave"}, RegionRole(is_standby=True)),
        ({"term": 0, "redis_role": None}, RegionRole()),
    ],
)
async def test_role_is_that_of_the_record_or_before_a_failover_that_of_redis(
    server: RawServer, changes: dict[str, Any], role: RegionRole
) -> None:
    server.say(json.dumps(STANDBY | {"region": STANDBY["region"] | changes}).encode())
    groups = [a_group("InService"), Group()]
    assert await read_role(HERE, groups, int(server.url), "token") == role


async def test_role_of_a_region_that_does_not_answer_is_not_known(server: RawServer) -> None:
    server.answer = b"no HTTP"
    groups = [a_group("InService"), Group()]
    assert await read_role(HERE, groups, int(server.url), "token") == RegionRole()
