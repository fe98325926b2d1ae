"""A page in a real browser that moved to another region: it loads what is there."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.support.regions import TestRegion

FRONTEND = Path(__file__).parents[3] / "frontend"
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
SCRIPT = """
import { chromium } from 'playwright-core';
const { browser: executablePath, home, urls } = JSON.parse(process.env.PLACE);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
const page = await browser.newPage();
await page.goto(home);
const load = async ([url, method]) => {
  try {
    const headers = { authorization: 'Bearer t', 'content-type': 'image/png' };
    const answer = await fetch(url, { method, headers, ...(method === 'PUT' && { body: 'x' }) });
    return answer.status;
  } catch (fault) {
    return String(fault);
  }
};
const found = [];
for (const each of urls) found.push(await page.evaluate(load, each));
console.log(JSON.stringify(found));
await browser.close();
"""

needs_a_browser = pytest.mark.skipif(
    not (shutil.which("node") and (FRONTEND / "node_modules").is_dir() and CHROMIUM.is_file()),
    reason="NOT RUN: needs chromium, and `npm ci` in frontend/",
)


def store(url: str) -> None:
    answer = httpx.put(url, content=PNG, headers={"Content-Type": "image/png"})
    assert answer.status_code == 201, answer.text


def load(home: str, *urls: tuple[str, str]) -> list[int | str]:
    """Return the status of each request of a page from `home`, or its error."""
    place = {"browser": str(CHROMIUM), "home": home, "urls": urls}
    done = subprocess.run(
        ["node", "--input-type=module", "-e", SCRIPT],
        cwd=FRONTEND,
        env=os.environ | {"PLACE": json.dumps(place)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[int | str] = json.loads(done.stdout)
    return found


@needs_a_browser
async def test_a_browser_lets_a_page_of_the_other_region_read_and_store_files(
    regions: tuple[TestRegion, TestRegion],
) -> None:
    east, west = regions
    client = await east.backend.join("pictures", client_id="ann")
    url = f"{east.address}/sessions/pictures/files/f1"
    store(url)
    wanted = [(url, "GET"), (f"{url}x", "GET"), (f"{url}y", "PUT")]
    # The page of the standby is refused for its bytes, not by the browser.
    assert load(f"{west.address}/healthz", *wanted) == [200, 404, 415]
    own = f"http://localhost:{east.address.rpartition(':')[2]}/healthz"
    assert load(own, (url, "GET")) == ["TypeError: Failed to fetch"]
    await client.close()
