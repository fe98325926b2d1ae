"""The page in real browsers, through real deploys."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.installation import installation

FRONTEND = Path(__file__).parents[2] / "frontend"
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
TIMEOUT_SECONDS = 300

needs_a_browser = pytest.mark.skipif(
    not (shutil.which("npx") and (FRONTEND / "node_modules").is_dir() and CHROMIUM.is_file()),
    reason="NOT RUN: needs chromium, and `npm ci` in frontend/",
)


@needs_a_browser
@pytest.mark.e2e
@pytest.mark.spec("A1", "A4", "B1", "B2", "B4")
@pytest.mark.timeout(TIMEOUT_SECONDS + 60)
def test_browsers_lose_nothing_through_deploys_deaths_and_absences() -> None:
    with installation() as platform:
        platform.up()
        place = {
            "python": sys.executable,
            "directory": str(platform.directory),
            "state": str(platform.directory / "state"),
            "address": platform.status()["address"],
        }
        run = subprocess.run(
            ["npx", "vitest", "run", "app/test/through-deploys.test.ts"],
            cwd=FRONTEND,
            env=os.environ | {"ISSHONI_TEST_INSTALLATION": json.dumps(place), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        print(run.stdout)
        assert run.returncode == 0, run.stdout + run.stderr
        assert "5 passed" in run.stdout
