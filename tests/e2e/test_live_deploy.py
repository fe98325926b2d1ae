"""The main job, as a person does it: live users, the real command, everything real."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.support.installation import Installation, installation

pytestmark = pytest.mark.e2e


@pytest.fixture
def platform() -> Iterator[Installation]:
    with installation() as made:
        made.up()
        yield made


@pytest.fixture
def slow_platform() -> Iterator[Installation]:
    """Give one whose canary leaves time to step in."""
    with installation(bake_seconds=6.0) as made:
        made.up()
        yield made


def verify(platform: Installation, *arguments: str) -> dict[str, Any]:
    """Run `isshoni verify` and give its JSON; the verdict must be the exit code's."""
    done = platform.run("verify", "--json", "result.json", *arguments, timeout=150)
    result: dict[str, Any] = json.loads((platform.directory / "result.json").read_text())
    assert done.returncode == (0 if result["sla"]["met"] else 1), done.stderr
    return result


def nothing_was_lost(result: dict[str, Any]) -> bool:
    """Say whether the ledger is clean, and was not empty."""
    messages, edits = result["messages"], result["edits"]
    assert messages["acked"] == messages["sent"] > 100
    assert edits["saved"] == edits["sent"] > 50
    return not any(
        (
            messages["lost"],
            messages["doubled"],
            messages["reordered"],
            edits["lost"],
            edits["diverged_sessions"],
        )
    )


@pytest.mark.spec("A4", "B2", "C4", "E1")
@pytest.mark.timeout(300)
def test_three_deploys_in_a_row_meet_the_sla(platform: Installation) -> None:
    deploys = ("--deploy", "v1.1", "--deploy", "v1.2", "--deploy", "v1.3")
    result = verify(platform, "--clients", "60", "--sessions", "12", *deploys)
    assert result["sla"]["met"], result["sla"]["failed"]
    assert nothing_was_lost(result)
    assert result["gap_ms"] == {"p50": 0.0, "p99": 0.0, "max": 0.0, "clients_cut": 0}
    assert [deploy["outcome"] for deploy in result["deploys"]] == ["promoted"] * 3
    colours = {span["colour"] for row in result["timelines"] for span in row["spans"]}
    assert colours == {"blue", "green"}


@pytest.mark.spec("A4", "C3", "C6")
@pytest.mark.timeout(300)
def test_a_candidate_killed_during_the_canary_is_rolled_back_with_nothing_lost(
    platform: Installation,
) -> None:
    def kill_the_candidate() -> None:
        platform.wait_for("people are sent to green", lambda stand: _weight(stand, "green") > 0)
        os.kill(platform.pid("green"), signal.SIGKILL)

    killer = threading.Thread(target=kill_the_candidate)
    killer.start()
    result = verify(
        platform,
        "--clients",
        "40",
        "--sessions",
        "8",
        "--deploy",
        "v1.1",
        "--expect",
        "rolled_back",
    )
    killer.join()
    assert result["sla"]["met"], result["sla"]["failed"]
    assert nothing_was_lost(result)
    deploy = result["deploys"][0]
    assert "green" in deploy["reason"]
    assert deploy["rollback_seconds"] < 10
    stand = platform.status()
    assert (stand["stable"]["colour"], stand["stable"]["release"]) == ("blue", "v1.0")
    assert _weight(stand, "blue") == 100


@pytest.mark.spec("C6", "C7")
@pytest.mark.timeout(300)
def test_a_rollout_is_taken_back_from_another_terminal(slow_platform: Installation) -> None:
    deploy = slow_platform.start("deploy", "v1.1", "--json")
    slow_platform.wait_for("people are sent to green", lambda stand: _weight(stand, "green") > 0)
    second = slow_platform.run("deploy", "v1.2")
    assert second.returncode == 6
    assert "deploy v1.1" in second.stderr
    assert str(deploy.pid) in second.stderr
    back = slow_platform.run("rollback")
    assert back.returncode == 0, back.stderr
    stdout, stderr = deploy.communicate(timeout=60)
    assert deploy.returncode == 5, stderr
    report = json.loads(stdout)
    assert report["rollback_seconds"]["new_connections"] <= 1.0
    assert _weight(slow_platform.status(), "blue") == 100


@pytest.mark.spec("C7")
@pytest.mark.timeout(300)
def test_the_next_deploy_goes_on_where_a_killed_engine_left_off(
    slow_platform: Installation,
) -> None:
    deploy = slow_platform.start("deploy", "v1.1")
    slow_platform.wait_for("people are sent to green", lambda stand: _weight(stand, "green") > 0)
    os.killpg(deploy.pid, signal.SIGKILL)
    deploy.communicate()
    other = slow_platform.run("deploy", "v1.2")
    assert other.returncode == 7
    assert "`isshoni deploy v1.1` resumes it" in other.stderr
    again = slow_platform.run("deploy", "v1.1")
    assert again.returncode == 0, again.stderr
    stable = slow_platform.status()["stable"]
    assert (stable["colour"], stable["release"]) == ("green", "v1.1")
    assert len(json.loads(slow_platform.run("history", "--json").stdout)) == 1


@pytest.mark.spec("C3", "C6")
@pytest.mark.timeout(300)
def test_a_version_that_does_not_start_is_one_clear_sentence(platform: Installation) -> None:
    done = platform.run("deploy", "broken", "--command", "sh -c 'echo no such module; exit 3'")
    assert done.returncode == 5
    assert "Traceback" not in done.stdout + done.stderr
    assert "no such module" in done.stdout
    assert _weight(platform.status(), "blue") == 100


@pytest.mark.spec("A2")
def test_the_bare_restore_and_ping_work_from_any_websocket_client(platform: Installation) -> None:
    address = platform.status()["address"].replace("http", "ws", 1)
    with connect(f"{address}/ws/console") as socket:
        socket.send('{"type":"restore_session","session_id":"console"}')
        restored = json.loads(socket.recv(timeout=5))
        assert restored["type"] == "session_restored"
        assert restored["canvas_state"] == {}
        assert restored["chat_history"] == []
        socket.send('{"type":"ping"}')
        assert json.loads(socket.recv(timeout=5)) == {"type": "pong"}


@pytest.mark.spec("C9")
@pytest.mark.timeout(300)
def test_any_application_can_be_deployed_by_its_command(
    platform: Installation, tmp_path: Path
) -> None:
    (tmp_path / "theirs.py").write_text(
        "from starlette.applications import Starlette\n"
        "from starlette.responses import PlainTextResponse\n"
        "from starlette.routing import Route\n"
        "app = Starlette(routes=[Route('/up', lambda request: PlainTextResponse('theirs'))])\n"
    )
    command = f"python -m uvicorn theirs:app --app-dir {tmp_path} --host {{host}} --port {{port}}"
    done = platform.run("deploy", "theirs-2.0", "--command", command, "--ready-path", "/up")
    assert done.returncode == 0, done.stderr
    stand = platform.status()
    assert (stand["stable"]["colour"], stand["stable"]["release"]) == ("green", "theirs-2.0")


def _weight(stand: dict[str, Any], colour: str) -> int:
    seen = stand["seen"]
    weights = seen and seen["weights_verified"]
    return int(weights[colour]) if weights else 0
