"""The page in real browsers, served by real backends over a real Valkey."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.backend import ADMIN_TOKEN, BackendProcess
from tests.support.valkey import ValkeyServer

FRONTEND = Path(__file__).parents[2] / "frontend"
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
TIMEOUT_SECONDS = 120

needs_a_browser = pytest.mark.skipif(
    not (shutil.which("npx") and (FRONTEND / "node_modules").is_dir() and CHROMIUM.is_file()),
    reason="needs chromium, and `npm ci` in frontend/",
)


@needs_a_browser
@pytest.mark.e2e
@pytest.mark.spec("A1", "B2", "B4")
def test_two_people_draw_and_talk_through_moves_between_real_backends(tmp_path: Path) -> None:
    with (
        ValkeyServer(tmp_path / "data") as valkey,
        BackendProcess(valkey.url, tmp_path / "blue.log", "blue", ISSHONI_VERSION="v1.0") as blue,
        BackendProcess(
            valkey.url, tmp_path / "green.log", "green", ISSHONI_VERSION="v1.1"
        ) as green,
    ):
        blue.wait_until_ready()
        green.wait_until_ready()
        pair = {
            "token": ADMIN_TOKEN,
            "blue": {"port": blue.port, "admin_port": blue.admin_port},
            "green": {"port": green.port, "admin_port": green.admin_port},
        }
        run = subprocess.run(
            ["npx", "vitest", "run", "app/test/real-backends.test.ts"],
            cwd=FRONTEND,
            env=os.environ | {"ISSHONI_TEST_PAIR": json.dumps(pair), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        assert "1 passed" in run.stdout
