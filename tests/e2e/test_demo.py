"""The first command of the README, from nothing and over what an interrupted one left."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.local_environments import kill_everything

ROOT = Path(__file__).parents[2]
STATE = ROOT / ".isshoni" / "demo"
COMMAND = ["scripts/demo", "--clients", "20", "--sessions", "4", "--exit"]


@pytest.mark.e2e
@pytest.mark.spec("F2", "A4", "B2")
@pytest.mark.timeout(300)
def test_the_demo_works_from_nothing_and_again_after_it_was_killed() -> None:
    shutil.rmtree(STATE, ignore_errors=True)
    try:
        killed = subprocess.Popen(
            COMMAND, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert killed.stdout is not None
        for line in killed.stdout:
            if "is live at" in line:
                break
        os.killpg(killed.pid, signal.SIGKILL)
        killed.communicate()
        done = subprocess.run(
            COMMAND, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "The SLA was met." in done.stdout
        assert "promoted" in done.stdout
        assert (ROOT / ".isshoni" / "report.html").is_file()
    finally:
        kill_everything(STATE)
