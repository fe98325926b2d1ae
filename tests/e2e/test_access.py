"""The HTML reports, for users of assistive technology and narrow screens, in a real browser."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.test_page import FRONTEND, needs_a_browser
from tests.support.reports import write_reports


@needs_a_browser
@pytest.mark.e2e
@pytest.mark.spec("C6")
def test_axe_finds_no_violation_in_any_report_and_none_scrolls_sideways(
    tmp_path: Path,
) -> None:
    asyncio.run(write_reports(tmp_path))
    run = subprocess.run(
        ["npx", "vitest", "run", "dashboard/test/reports.test.ts"],
        cwd=FRONTEND,
        env=os.environ | {"ISSHONI_TEST_REPORTS": str(tmp_path), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout and "skipped" not in run.stdout
