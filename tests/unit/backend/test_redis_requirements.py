"""What a Redis says of itself, judged by what docs/redis.md demands."""

from pathlib import Path

import pytest

from isshoni.backend.store.redis.link.replication import count_connected, parse_info
from isshoni.backend.store.redis.requirements import ACCEPTABLE, judge_servers

GOOD = {
    "redis_version": "7.0.15",
    "maxmemory": "0",
    "maxmemory_policy": "noeviction",
    "aof_enabled": "1",
    "connected_slaves": "0",
}


def judge(*accepted: str, **changes: str) -> list[tuple[str, str]]:
    return [(f.name, f.level) for f in judge_servers([{**GOOD, **changes}], accepted)]


def test_a_redis_as_documented_is_not_complained_of() -> None:
    assert judge() == []
    assert judge(redis_version="7.2.4", valkey_version="9.1.0") == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"redis_version": "6.2.14"}, ("version", "error")),
        ({"redis_version": "7.2.4", "valkey_version": "7.2.9"}, ("version", "error")),
        ({"redis_version": ""}, ("version", "unchecked")),
        ({"maxmemory_policy": "allkeys-lru", "maxmemory": "100"}, ("eviction", "error")),
        ({"maxmemory_policy": "allkeys-lru"}, ("eviction", "warning")),
        ({"maxmemory_policy": "volatile-ttl", "maxmemory": "100"}, ("eviction", "warning")),
        ({"aof_enabled": "0"}, ("persistence", "error")),
    ],
)
def test_each_requirement_that_is_not_met_is_named(
    changes: dict[str, str], found: tuple[str, str]
) -> None:
    assert judge(**changes) == [found]


def test_replicas_make_up_for_a_missing_aof_in_part() -> None:
    assert judge(aof_enabled="0", connected_slaves="1") == [
        ("persistence", "warning"),
        ("replicas", "warning"),
    ]
    assert judge(connected_slaves="1", min_slaves_good_slaves="1") == []


def test_what_an_operator_accepts_is_no_error_but_is_still_found() -> None:
    assert judge("persistence", aof_enabled="0") == [("persistence", "accepted")]
    assert judge(*ACCEPTABLE, redis_version="6.0.0") == [("version", "error")]


def test_an_info_that_is_refused_is_told_and_nothing_is_concluded() -> None:
    (finding,) = judge_servers([None, None])
    assert (finding.name, finding.level) == ("info", "unchecked")
    assert "+info" in finding.detail


def test_the_same_on_two_primaries_is_told_once() -> None:
    bad = {**GOOD, "aof_enabled": "0"}
    assert len(judge_servers([bad, GOOD, bad])) == 1


def test_info_is_parsed_as_redis_writes_it() -> None:
    text = b"# Server\r\nredis_version:7.0.15\r\n\r\n# Memory\r\nmaxmemory_policy:noeviction\r\n"
    assert parse_info(text) == {"redis_version": "7.0.15", "maxmemory_policy": "noeviction"}


def test_the_docs_name_all_that_can_be_accepted() -> None:
    docs = (Path(__file__).parents[3] / "docs" / "redis.md").read_text()
    assert all(f"`{name}`" in docs for name in ACCEPTABLE)


def test_replicas_count_as_connected_while_they_are_in_step_and_not_silent() -> None:
    info = parse_info(
        b"# Replication\r\nrole:master\r\nconnected_slaves:4\r\n"
        b"slave0:ip=10.0.0.1,port=6379,state=online,offset=14,lag=1\r\n"
        b"slave1:ip=10.0.0.2,port=6379,state=online,offset=14,lag=11,type=replica\r\n"
        b"slave2:ip=10.0.0.3,port=6379,state=wait_bgsave,offset=0,lag=0\r\n"
        b"slave3:ip=10.0.0.4,port=6379,state=online,offset=14,lag=-1\r\n"
        b"slave_priority:100\r\n"
    )
    assert count_connected(info, lag_limit_seconds=10) == 1
    assert count_connected(info, lag_limit_seconds=11) == 2
    assert count_connected({}, lag_limit_seconds=10) == 0
