"""The dashboard's API over a simulated environment."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest

from isshoni.dashboard.console import REQUESTS, ActionKind
from isshoni.dashboard.feed import Feed
from isshoni.dashboard.server import CannotListen, check_host, open_socket
from isshoni.engine.operations import deploy
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.model import Release
from isshoni.rollout.plan import RolloutPlan
from tests.support.fake_environment import V2
from tests.unit.dashboard.stage import BEARER, TOKEN, Stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "reports")


@pytest.fixture
async def visitor(stage: Stage) -> AsyncIterator[httpx.AsyncClient]:
    async with stage.visit() as client:
        yield client


@pytest.mark.spec("F1")
async def test_status_has_weights_health_and_connections(visitor: httpx.AsyncClient) -> None:
    stand = (await visitor.get("/api/status")).json()
    assert stand["stable"] == {"colour": "blue", "release": "v1"}
    assert stand["seen"]["weights_verified"] == {"blue": 100, "green": 0}
    assert stand["seen"]["colours"]["blue"]["connections"] == 50
    assert stand["rollout"] is None


@pytest.mark.spec("F1")
async def test_history_leads_to_records_and_to_the_report(
    stage: Stage, visitor: httpx.AsyncClient
) -> None:
    report = await deploy(stage.engine, V2, RolloutPlan(bake_seconds=2.0))
    (row,) = (await visitor.get("/api/history")).json()
    assert (row["id"], row["outcome"]) == (report.id, "promoted")
    records = (await visitor.get(f"/api/history/{report.id}")).json()
    assert records[-1]["what"] == "promoted"
    page = await visitor.get(row["report"])
    assert "v2 is live." in page.text
    assert "sandbox" in page.headers["content-security-policy"]
    stand = (await visitor.get("/api/status")).json()
    assert stand["move"]["moved"] == stand["move"]["told"] > 0
    assert stand["move"]["connections"][-1][1:] == [0, 50]


async def test_a_long_history_is_read_in_parts_that_let_live_views_continue(stage: Stage) -> None:
    for _ in range(3):
        await deploy(stage.engine, V2, RolloutPlan(bake_seconds=2.0))
        await deploy(stage.engine, Release("v3"), RolloutPlan(bake_seconds=2.0))
    console, ticks = stage.console, 0

    async def count() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    with patch("isshoni.dashboard.history._READ_AT_ONCE", 2):
        other = asyncio.create_task(count())
        rows = await console.list_history(5)
        other.cancel()
    assert rows == await stage.console.list_history(5)
    assert len(rows) == 5
    assert ticks >= 2


async def test_reports_are_of_known_rollouts_only(stage: Stage, visitor: httpx.AsyncClient) -> None:
    stage.reports.directory.mkdir()
    (stage.reports.directory / "other.html").write_text("not yours")
    for path in ("other", "%2e%2e%2fsecrets", "..%5csecrets", "none"):
        assert (await visitor.get(f"/api/reports/{path}")).status_code == 404


async def test_logs_are_of_known_programs_only(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/api/logs/green", params={"lines": 2})
    assert answer.json() == {"lines": ["green Said That", "green said this again"]}
    assert (await visitor.get("/api/logs")).json()["names"][2:] == ["green-worker", "relay"]
    assert (await visitor.get("/api/logs/green-worker")).status_code == 200
    assert (await visitor.get("/api/logs/..%2fsecrets")).status_code == 404
    assert (await visitor.get("/api/logs/secrets")).status_code == 404


@pytest.mark.spec("A7")
@pytest.mark.parametrize("token", ["", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", "Bearer ü"])
async def test_actions_require_the_token(
    stage: Stage, visitor: httpx.AsyncClient, token: str
) -> None:
    stage.begin_rollout()
    for kind in ("pause", "resume", "abort", "rollback", "promote"):
        headers = [(b"authorization", token.encode())]
        answer = await visitor.post(f"/api/actions/{kind}", headers=headers)
        assert answer.status_code == 401
    assert stage.journal.read_requests("r1", after=0) == []


@pytest.mark.spec("C6")
@pytest.mark.parametrize("kind", ["pause", "promote", "abort", "rollback"])
async def test_actions_are_requested_in_the_name_of_the_user(
    stage: Stage, visitor: httpx.AsyncClient, kind: ActionKind
) -> None:
    engine = asyncio.create_task(deploy(stage.engine, V2, RolloutPlan(bake_seconds=80_000)))
    async with asyncio.timeout(10):
        while stage.world.weights.green == 0:  # noqa: ASYNC110 - its time is simulated
            await asyncio.sleep(0)
    answer = await visitor.post(f"/api/actions/{kind}", headers=BEARER)
    assert (answer.status_code, answer.json()) == (202, {"asked": kind})
    engine.cancel()
    await asyncio.wait({engine})
    (rollout,) = stage.journal.list_rollouts(1)
    (request,) = stage.journal.read_requests(rollout.id, after=0)
    assert (request.kind, request.who) == (REQUESTS[kind], "ann (dashboard, from 127.0.0.1)")
    assert stage.commands.started == []


@pytest.mark.spec("C6")
async def test_a_rollback_with_no_engine_alive_starts_one(
    stage: Stage, visitor: httpx.AsyncClient
) -> None:
    assert (await visitor.post("/api/actions/rollback", headers=BEARER)).status_code == 202
    (started,) = stage.commands.started
    assert (started.verb, started.arguments) == ("rollback", ())
    assert started.who == "ann (dashboard, from 127.0.0.1)"


async def test_an_action_that_makes_no_sense_now_is_explained(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.post("/api/actions/pause", headers=BEARER)
    assert answer.status_code == 409
    assert answer.json() == {
        "detail": "no rollout is running, so there is none to pause",
        "reasons": [{"code": "none_running", "fields": {"verb": "pause"}}],
    }
    assert (await visitor.post("/api/actions/destroy", headers=BEARER)).status_code == 422


READS = ("/api/status", "/api/events", "/api/history", "/api/history/r1", "/api/logs/blue")


@pytest.mark.spec("A7")
@pytest.mark.parametrize("path", [*READS, "/api/reports/r1"])
async def test_reading_requires_the_token_when_guarded(stage: Stage, path: str) -> None:
    async with stage.visit(guarded=True) as client:
        assert (await client.get(path)).status_code == 401


@pytest.mark.spec("A7")
@pytest.mark.parametrize("path", READS)
async def test_a_foreign_name_that_resolves_to_this_machine_reads_nothing(
    stage: Stage, path: str
) -> None:
    async with stage.visit(base="http://evil.example:8087") as client:
        assert (await client.get(path)).status_code == 401


async def test_a_guarded_report_opens_by_its_own_link_alone(stage: Stage) -> None:
    first = await deploy(stage.engine, V2, RolloutPlan(bake_seconds=0.5))
    second = await deploy(stage.engine, Release("v3"), RolloutPlan(bake_seconds=0.5))
    async with stage.visit(guarded=True) as client:
        rows = (await client.get("/api/history", headers=BEARER)).json()
        assert (await client.get(rows[0]["report"])).status_code == 200
        other = rows[0]["report"].replace(second.id, first.id)
        assert (await client.get(other)).status_code == 401


async def test_the_page_runs_nothing_but_its_own(visitor: httpx.AsyncClient) -> None:
    page = await visitor.get("/")
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert (await visitor.get(path)).status_code == 404


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "deploys.example"])
def test_it_refuses_a_network_that_could_read_without_a_token(host: str) -> None:
    with pytest.raises(CannotListen, match="--token-to-read"):
        check_host(host, guards_reading=False)
    check_host(host, guards_reading=True)
    for local in ("127.0.0.1", "::1", "localhost"):
        check_host(local, guards_reading=False)


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with open_socket("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"127.0.0.1:{port}.*--port"):
            open_socket("127.0.0.1", port)


@pytest.mark.spec("F1")
async def test_the_feed_sends_every_change_and_ends_with_its_last_watcher() -> None:
    stand: dict[str, Any] = {"at": 0, "number": 1}
    looks = 0

    async def look() -> dict[str, Any]:
        nonlocal looks
        looks += 1
        if stand["number"] == 3:
            raise EnvironmentFault("the journal is gone")
        return {**stand, "at": looks}

    feed = Feed(look)
    events = feed.watch()
    async with asyncio.timeout(10):
        assert _data(await anext(events))["number"] == 1
        stand["number"] = 2
        assert _data(await anext(events))["number"] == 2
        stand["number"] = 3
        assert _data(await anext(events)) == {"unreadable": "the journal is gone"}
        await events.aclose()  # type: ignore[attr-defined]
    before = looks
    await asyncio.sleep(0.6)
    assert looks <= before + 1


def _data(event: bytes) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(event.removeprefix(b"event: status\ndata: "))
    return data
