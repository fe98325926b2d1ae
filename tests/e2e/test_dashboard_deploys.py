"""Deploys and returns that are started from the dashboard."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.support.installation import Installation, installation


@pytest.mark.e2e
@pytest.mark.spec("C6", "F1")
def test_a_deploy_from_the_dashboard_outlives_it_and_the_journal_has_who_asked() -> None:
    with installation(bake_seconds=0.5) as platform:
        platform.up()
        with _dashboard(platform) as (api, process):
            plan = api.post("/api/deploys", json={"version": "v1.1"}).json()["plan"]
            assert (plan["release"]["label"], plan["stable"]["colour"]) == ("v1.1", "blue")
            assert api.get("/api/status").json()["rollout"] is None
            ask = {"version": "v1.1", "dry_run": False, "seen": {"rollout": None}}
            assert api.post("/api/deploys", json=ask).status_code == 202
            platform.wait_for("the rollout runs", lambda stand: stand["rollout"] is not None)
            process.terminate()
            process.communicate(timeout=20)
        first = _wait_until_live(platform, "v1.1")
        done = platform.run("deploy", "v1.2")
        assert done.returncode == 0, done.stderr
        with _dashboard(platform) as (api, _):
            assert [row["live"] for row in api.get("/api/history").json()] == [True, False]
            latest = api.get("/api/history").json()[0]["id"]
            seen = {"rollout": latest, "outcome": "promoted"}
            ask = {"rollout": first["id"], "seen": seen}
            assert api.post("/api/returns", json=ask).status_code == 202
            last = _wait_until_live(platform, "v1.1")
            assert "deploy" in api.get("/api/logs").json()["names"]
            for rollout, work in ((first, "deploy of v1.1"), (last, "rollback to v1.1")):
                records = api.get(f"/api/history/{rollout['id']}").json()
                (asked,) = [record["why"] for record in records if record["what"] == "asked"]
                assert asked.startswith(f"{work} asked by ")
                assert asked.endswith("(dashboard, from 127.0.0.1)")


@contextmanager
def _dashboard(
    platform: Installation,
) -> Iterator[tuple[httpx.Client, "subprocess.Popen[str]"]]:
    process = platform.start("dashboard", "--port", "0", "--allow-deploy")
    try:
        assert process.stdout is not None
        base, _, token = process.stdout.readline().strip().partition("/#token=")
        headers = {"authorization": f"Bearer {token}"}
        with httpx.Client(base_url=base, headers=headers, timeout=60, trust_env=False) as api:
            yield api, process
    finally:
        process.terminate()
        process.communicate(timeout=20)


def _wait_until_live(platform: Installation, release: str) -> dict[str, Any]:
    stand = platform.wait_for(
        f"{release} is live",
        lambda now: now["stable"]["release"] == release and now["rollout"]["outcome"] == "promoted",
    )
    rollout: dict[str, Any] = stand["rollout"]
    return rollout
