"""Two regions: only one writes, the other stands by, and writes wait while neither may."""

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.support.regions import TestRegion, fail_over

Regions = tuple[TestRegion, TestRegion]


async def test_a_standby_answers_503_writes_nothing_and_reads_what_the_other_region_wrote(
    regions: Regions,
) -> None:
    east, west = regions
    client = await east.backend.join("reads", client_id="ann")
    await client.chat(1)
    await client.read("ack")
    west.wait_for(lambda status: status["standby_ready"])
    answer = west.request("GET", "/readyz")
    assert (answer.status_code, answer.json()["reason"]) == (503, "standby")
    with pytest.raises(InvalidStatus) as refused:
        await west.backend.connect("reads")
    assert refused.value.response.status_code == 503
    assert refused.value.response.headers["Retry-After"]
    status = west.backend.status()
    assert (status["state"], status["ready"]) == ("standby", False)
    region = status["region"]
    assert (region["writer"], region["redis_role"]) == ("east", "slave")
    assert region["lag"]["link"] == "up"
    assert region["lag"]["seconds"] < 30.0
    assert west.request("GET", "/sessions/reads/export/chat.txt").status_code == 200
    deleted = west.request("DELETE", "/sessions/reads")
    assert deleted.status_code == 503
    assert "READONLY" not in west.backend.log
    assert b"errorstat_READONLY" not in west.redis.command("INFO", "errorstats")
    await client.close()


async def test_writes_wait_while_fenced_and_each_is_acknowledged_once_afterwards(
    regions: Regions,
) -> None:
    east, _ = regions
    client = await east.backend.join("waits", client_id="ann")
    await client.chat(1)
    await client.read("ack")
    term = east.status()["term"]
    fenced = east.set(term + 1, None)
    assert (fenced["state"], fenced["in_flight"], fenced["stamp"]) == ("fenced", 0, 1)
    assert east.backend.get("/readyz") == 200
    for n in (2, 3, 4):
        await client.chat(n)
    await client.send(type="ping", t=1)
    frame = await client.read("pong", "ack", "error")
    assert frame["type"] == "pong"
    reader = await east.backend.join("waits", client_id="bob")
    assert east.wait_for(lambda status: status["waiting"] == 3)["in_flight"] == 0
    east.set(term + 2, "east")
    acks = [(await client.read("ack", "error")) for _ in range(3)]
    assert [(ack["n"], ack["seq"]) for ack in acks] == [(2, 2), (3, 3), (4, 4)]
    seen = [(await reader.read("chat"))["n"] for _ in range(3)]
    assert seen == [2, 3, 4]
    await client.close()
    await reader.close()


async def test_waiting_writes_of_a_client_that_has_gone_are_dropped(regions: Regions) -> None:
    east, west = regions
    client = await east.backend.join("drops", client_id="ann")
    await client.chat(1)
    await client.read("ack")
    term = east.status()["term"]
    east.set(term + 1, None)
    await client.chat(2, "waits")
    east.wait_for(lambda status: status["waiting"] == 1)
    west.wait_for(lambda status: status["term"] == term + 1 and status["stamp"] == 1)
    west.promote()
    west.set(term + 2, "west")
    west.backend.wait_until_ready()
    await client.close()
    east.wait_for(lambda status: status["waiting"] == 0)
    again = await west.backend.join("drops", client_id="ann")
    await again.chat(2, "waits")
    assert (await again.read("ack"))["seq"] == 2
    east.follow(west)
    fail_over(west, east)
    text = east.request("GET", "/sessions/drops/export/chat.txt").text
    assert text.count("waits") == 1
    await again.close()


async def test_the_record_only_goes_forward_and_a_replica_refuses_it(regions: Regions) -> None:
    east, west = regions
    term = east.status()["term"] + 1
    assert east.set(term, None)["term"] == term
    assert east.set(term, None)["state"] == "fenced"
    for earlier, writer in ((term - 1, "east"), (term, "east")):
        answer = east.backend.admin("POST", "/admin/region", {"term": earlier, "writer": writer})
        assert answer.status_code == 409
        assert answer.json()["detail"]["region"]["term"] == term
    answer = west.backend.admin("POST", "/admin/region", {"term": term + 1, "writer": "west"})
    assert answer.status_code == 409
    assert "replica" in answer.json()["detail"]["reason"]
    bad = east.backend.admin("POST", "/admin/region", {"term": term + 1, "writer": "blue"})
    assert bad.status_code == 422
    assert east.set(term + 1, "east")["state"] == "serving"
    east.backend.wait_until_ready()


async def test_a_planned_failover_and_back_keeps_every_message(regions: Regions) -> None:
    east, west = regions
    for n, (here, there) in enumerate(((east, west), (west, east), (east, west)), start=1):
        client = await here.backend.join("keeps", client_id="ann")
        await client.chat(n)
        await client.read("ack")
        fail_over(here, there)
        await client.close()
    client = await west.backend.connect("keeps")
    restored = await client.restore(client_id="ann")
    assert [event["n"] for event in restored["chat_history"]] == [1, 2, 3]
    await client.close()


async def test_a_client_that_stayed_in_the_old_region_is_closed_once_that_writes_again(
    regions: Regions,
) -> None:
    east, west = regions
    client = await east.backend.join("stays", client_id="ann")
    await client.chat(1)
    await client.read("ack")
    fail_over(east, west)
    await client.chat(2, "dropped")
    await client.send(type="ping", t=1)
    assert (await client.read("pong", "ack", "error"))["type"] == "pong"
    assert east.status()["waiting"] == 0
    fail_over(west, east)
    assert await client.close_code() == 1012
    again = await east.backend.join("stays", client_id="ann")
    await again.chat(2, "dropped")
    assert (await again.read("ack"))["seq"] == 2
    await again.close()


PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


def ask(region: TestRegion, method: str, path: str, **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.request(method, region.address + path, headers=sent, content=PNG, timeout=15)


async def test_a_page_of_the_other_region_reads_files_here_and_other_pages_do_not(
    regions: Regions,
) -> None:
    east, west = regions
    client = await east.backend.join("images", client_id="ann")
    path = "/sessions/images/files/f1"
    kept = ask(east, "PUT", path, Origin=west.address, Content_Type="image/png")
    assert kept.status_code == 201, kept.text
    read = ask(east, "GET", path, Origin=west.address)
    assert (read.status_code, read.content) == (200, PNG)
    assert read.headers["Access-Control-Allow-Origin"] == west.address
    assert "Access-Control-Allow-Credentials" not in read.headers
    missing = ask(east, "GET", "/sessions/images/files/f2", Origin=west.address)
    assert (missing.status_code, missing.json()["code"]) == (404, "no_such_file")
    assert missing.headers["Access-Control-Allow-Origin"] == west.address
    own = ask(east, "GET", path, Origin=east.address)
    foreign = ask(east, "GET", path, Origin="https://foreign.example.org")
    assert (own.status_code, foreign.status_code) == (200, 403)
    for answer in (own, foreign, ask(east, "GET", path), ask(east, "GET", "/", Origin="null")):
        assert "Access-Control-Allow-Origin" not in answer.headers
    # A cached answer to one origin is not that to another.
    assert (own.headers["Vary"], read.headers["Vary"]) == ("origin", "origin")
    await client.close()


def test_a_preflight_allows_the_other_region_alone(regions: Regions) -> None:
    east, west = regions
    path = "/sessions/images/files/f1"
    wish = {"Access_Control_Request_Method": "PUT"}
    allowed = ask(east, "OPTIONS", path, Origin=west.address, **wish)
    assert (allowed.status_code, allowed.content) == (204, b"")
    assert allowed.headers["Access-Control-Allow-Origin"] == west.address
    assert "PUT" in allowed.headers["Access-Control-Allow-Methods"]
    assert allowed.headers["Access-Control-Allow-Headers"] == "authorization, content-type"
    foreign = ask(east, "OPTIONS", path, Origin="https://foreign.example.org", **wish)
    assert "Access-Control-Allow-Origin" not in foreign.headers
