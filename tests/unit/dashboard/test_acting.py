"""Deploys, returns and refused actions of the dashboard's API."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from isshoni.engine.lease import describe_self
from isshoni.engine.operations import deploy
from isshoni.rollout.model import Release, Stable
from isshoni.rollout.plan import RolloutPlan
from isshoni.rollout.state import begin_rollout, end_rollout
from tests.support.fake_environment import V1, V2
from tests.unit.dashboard.stage import BEARER, Stage

QUICK = RolloutPlan(bake_seconds=0.5)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    made = Stage(tmp_path / "reports")
    made.allows_deploy = True
    return made


@pytest.fixture
async def visitor(stage: Stage) -> AsyncIterator[httpx.AsyncClient]:
    async with stage.visit() as client:
        client.headers.update(BEARER)
        yield client


async def test_a_deploy_is_shown_as_a_dry_run_first_and_started_only_on_request(
    stage: Stage, visitor: httpx.AsyncClient
) -> None:
    plan = await visitor.post("/api/deploys", json={"version": "git:main"})
    assert plan.json() == {"plan": {"would": ["deploy", "git:main"]}}
    assert stage.commands.started == []
    ask = {"version": "git:main", "dry_run": False, "seen": {"rollout": None}}
    assert (await visitor.post("/api/deploys", json=ask)).status_code == 202
    (started,) = stage.commands.started
    assert (started.verb, started.arguments) == ("deploy", ("git:main",))
    assert started.who == "ann (dashboard, from 127.0.0.1)"
    shown = (await visitor.get("/api/status")).json()["started"]
    assert (shown["verb"], shown["exit_code"]) == ("deploy", None)


@pytest.mark.spec("A7")
async def test_a_deploy_needs_the_permission_of_the_operator_and_the_token(stage: Stage) -> None:
    for dry_run in (True, False):
        ask = {"version": "v2", "dry_run": dry_run}
        async with stage.visit() as client:
            assert (await client.post("/api/deploys", json=ask)).status_code == 401
            assert (await client.get("/api/permissions")).json() == {
                "acts": False,
                "deploys": False,
            }
        stage.allows_deploy = False
        async with stage.visit() as client:
            answer = await client.post("/api/deploys", json=ask, headers=BEARER)
            assert (answer.status_code, answer.json()["reasons"][0]["code"]) == (403, "not_allowed")
            permissions = await client.get("/api/permissions", headers=BEARER)
            assert permissions.json() == {"acts": True, "deploys": False}
        stage.allows_deploy = True
    assert stage.commands.started == []


@pytest.mark.spec("A7")
@pytest.mark.parametrize(
    "version",
    [
        "",
        "--force",
        "-e",
        "v2 --force",
        "v2;reboot",
        "v2\n",
        "$(id)",
        "../other",
        "./dist",
        "/etc",
        "dist/a.whl",
        "a.whl",
        "git:",
        "git:--upload-pack=x",
        "git:a..b",
        "git:a b",
        "git:../x",
        "v" * 65,
        "git:" + "a" * 201,
        "브이2",
    ],
)
async def test_only_labels_and_commits_can_be_deployed(
    stage: Stage, visitor: httpx.AsyncClient, version: str
) -> None:
    for dry_run in (True, False):
        ask = {"version": version, "dry_run": dry_run}
        assert (await visitor.post("/api/deploys", json=ask)).status_code == 422
    assert stage.commands.started == []


@pytest.mark.parametrize(
    "version", ["v2", "v1.2.3-rc.1+build", "git:main", "git:v1.0", "git:feature/x", "git:0123abc"]
)
async def test_labels_and_commits_can_be_deployed(
    stage: Stage, visitor: httpx.AsyncClient, version: str
) -> None:
    ask = {"version": version, "dry_run": False}
    assert (await visitor.post("/api/deploys", json=ask)).status_code == 202


async def test_no_deploy_or_return_starts_beside_a_rollout(
    stage: Stage, visitor: httpx.AsyncClient
) -> None:
    stage.begin_rollout()
    asks = [("deploys", {"version": "v3", "dry_run": False}), ("returns", {"rollout": "r1"})]
    for path, ask in asks:
        answer = await visitor.post(f"/api/{path}", json=ask)
        assert (answer.status_code, answer.json()["reasons"][0]["code"]) == (409, "rollout_runs")
    assert stage.commands.started == []


@pytest.mark.spec("C6")
async def test_any_earlier_version_can_be_returned_to(
    stage: Stage, visitor: httpx.AsyncClient
) -> None:
    second = await deploy(stage.engine, V2, QUICK)
    last = await deploy(stage.engine, Release("v3"), QUICK)
    seen = {"rollout": last.id, "outcome": "promoted"}
    answer = await visitor.post("/api/returns", json={"rollout": second.id, "seen": seen})
    assert answer.status_code == 202
    (started,) = stage.commands.started
    assert (started.verb, started.arguments) == ("rollback", ("--to", second.id))
    for rollout, code in ((last.id, 409), ("unknown", 409), ("--force x", 422), ("", 422)):
        answer = await visitor.post("/api/returns", json={"rollout": rollout})
        assert answer.status_code == code
    assert len(stage.commands.started) == 1


async def test_the_first_version_can_be_returned_to_although_no_rollout_brought_it(
    stage: Stage, visitor: httpx.AsyncClient
) -> None:
    second = await deploy(stage.engine, V2, QUICK)
    await deploy(stage.engine, Release("v3"), QUICK)
    ask = {"rollout": second.id, "previous": True}
    assert (await visitor.post("/api/returns", json=ask)).status_code == 202
    (started,) = stage.commands.started
    assert (started.verb, started.arguments) == ("rollback", ("--to", "v1"))


async def test_a_version_can_be_returned_to_however_long_ago_it_was_live(
    stage: Stage, visitor: httpx.AsyncClient
) -> None:
    first = await deploy(stage.engine, V2, QUICK)
    add_rollouts(stage, 600)
    await deploy(stage.engine, Release("v3"), QUICK)
    answer = await visitor.post("/api/returns", json={"rollout": first.id})
    assert (answer.status_code, answer.text) == (202, '{"asked":"return"}')


@pytest.mark.spec("C6")
async def test_an_action_for_a_state_that_has_passed_is_refused(
    stage: Stage, visitor: httpx.AsyncClient
) -> None:
    """A rollback of a rollout that has just rolled itself back would leave stable, too."""
    await deploy(stage.engine, V2, QUICK)
    now = stage.journal.list_rollouts(1)[0]
    for seen, code in (
        ({"rollout": now.id, "outcome": "running"}, "ended_by_now"),
        ({"rollout": "r0", "outcome": "promoted"}, "another_began"),
        ({"rollout": None}, "another_began"),
    ):
        answer = await visitor.post("/api/actions/rollback", json={"seen": seen})
        assert (answer.status_code, answer.json()["reasons"][0]["code"]) == (409, code)
    assert stage.commands.started == []
    seen = {"rollout": now.id, "outcome": "promoted"}
    answer = await visitor.post("/api/actions/rollback", json={"seen": seen})
    assert answer.status_code == 202
    assert len(stage.commands.started) == 1


async def test_a_thousand_rollouts_are_read_page_by_page(
    stage: Stage, visitor: httpx.AsyncClient
) -> None:
    add_rollouts(stage, 1_000)
    read: list[str] = []
    while True:
        before = {"before": read[-1]} if read else {}
        page = (await visitor.get("/api/history", params={"limit": 60, **before})).json()
        if not page:
            break
        assert len(page) <= 60
        read += [row["id"] for row in page]
    assert read == [f"old-{number:04}" for number in range(999, -1, -1)]


async def test_one_rollout_of_the_history_is_live(stage: Stage, visitor: httpx.AsyncClient) -> None:
    for release in (V2, Release("v3"), V2):
        await deploy(stage.engine, release, QUICK)
    rows = (await visitor.get("/api/history")).json()
    assert [row["live"] for row in rows] == [True, False, False]
    add_rollouts(stage, 2)
    rows = (await visitor.get("/api/history")).json()
    assert [row["live"] for row in rows] == [False, False, True, False, False]


async def test_reasons_are_sent_as_codes_beside_their_text(
    stage: Stage, visitor: httpx.AsyncClient
) -> None:
    add_rollouts(stage, 1)
    (row,) = (await visitor.get("/api/history")).json()
    assert row["reason"] == "green died while clients could be on it"
    assert row["reasons"] == [{"code": "died", "fields": {"colour": "green"}}]
    status = (await visitor.get("/api/status")).json()
    assert status["rollout"]["reasons"] == row["reasons"]


async def test_logs_are_searched_in_any_case(visitor: httpx.AsyncClient) -> None:
    for find, lines in (
        ("said THAT", ["relay Said That"]),
        ("this", ["relay said this", "relay said this again"]),
        ("nothing", []),
    ):
        answer = await visitor.get("/api/logs/relay", params={"find": find})
        assert answer.json() == {"lines": lines}


def add_rollouts(stage: Stage, count: int) -> None:
    """Add rollouts that were rolled back, `old-0000` the oldest."""
    now = stage.world.now
    lease = stage.journal.take_lease(describe_self("test", now), now=now, ttl_seconds=60)
    for number in range(count):
        begun = begin_rollout(f"old-{number:04}", V2, QUICK, Stable("blue", V1), float(number))
        why = "green died while clients could be on it"
        ended = end_rollout(begun, "rolled_back", why, number + 1.0)
        stage.journal.save(ended, [], lease=lease, revision=0)
    stage.journal.release_lease(lease)
