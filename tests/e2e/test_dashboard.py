"""The dashboard in a real browser, over a real rollout."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.test_page import FRONTEND, needs_a_browser
from tests.support.installation import Installation, installation


@needs_a_browser
@pytest.mark.e2e
@pytest.mark.spec("C6", "F1", "F3")
def test_a_rollout_is_watched_paused_and_taken_back_in_the_browser() -> None:
    with installation(bake_seconds=30.0) as platform:
        platform.up()
        deploy = platform.start("deploy", "v1.1", "--json")
        platform.wait_for("the rollout runs", lambda stand: stand["rollout"] is not None)
        dashboard = platform.start("dashboard", "--port", "0")
        try:
            run = _run_browser(_read_address(dashboard))
            assert run.returncode == 0, run.stdout + run.stderr
            assert "1 passed" in run.stdout
            assert deploy.wait(timeout=30) == 5
        finally:
            dashboard.terminate()
            deploy.communicate()
            _, stderr = dashboard.communicate(timeout=10)
        assert stderr == ""
        assert _find_token(platform) not in _read_logs(platform)


def _read_address(dashboard: "subprocess.Popen[str]") -> str:
    assert dashboard.stdout is not None
    return dashboard.stdout.readline().strip()


def _run_browser(address: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["npx", "vitest", "run", "dashboard/test/real-rollout.test.ts"],
        cwd=FRONTEND,
        env=os.environ | {"ISSHONI_TEST_DASHBOARD": address, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=80,
        check=False,
    )


def _find_token(platform: Installation) -> str:
    secrets = (platform.directory / "state" / "secrets.json").read_text()
    found = re.search(r'"admin_token":"([^"]+)"', secrets)
    assert found is not None
    return found[1]


def _read_logs(platform: Installation) -> str:
    logs: list[Path] = [*(platform.directory / "state" / "logs").glob("*.log")]
    return "".join(log.read_text(errors="replace") for log in logs)
