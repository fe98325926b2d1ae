"""Old tabs and new servers: what a page needs is there through a rollout, and after it."""

import asyncio
import shlex
import sys
from pathlib import Path

import httpx
import pytest
import redis.asyncio

from isshoni.environments.local.environment import LocalEnvironment
from isshoni.environments.waiting import wait_until
from isshoni.rollout.model import Release, Stable, Weights
from tests.support.local_environments import eventually_healthy

ASKED = 40
"""So often that with half the weight on each colour, both are certain to have answered."""


def make_release(directory: Path, label: str) -> Release:
    """Make a release of the backend whose page has one asset of its own."""
    page = directory / label
    (page / "assets").mkdir(parents=True)
    name = f"assets/app-{label}hash.js"
    (page / name).write_text(f"console.log('{label}');" * 100)
    (page / "index.html").write_text(f"<!doctype html><script src=/static/{name}></script>")
    serve = shlex.join([sys.executable, "-m", "isshoni.backend"])
    # Naming {admin_port} is how a command says that it speaks the admin API.
    return Release(
        label, command=f"env ISSHONI_STATIC_DIR={page} ISSHONI_ADMIN_PORT={{admin_port}} {serve}"
    )


async def ask(environment: LocalEnvironment, label: str) -> set[str]:
    """Ask for a version's asset again and again; gives the colours that answered."""
    url = f"{environment.addresses().public}/static/assets/app-{label}hash.js"
    async with httpx.AsyncClient() as http:
        answers = await asyncio.gather(*(http.get(url) for _ in range(ASKED)))
    for answer in answers:
        assert answer.status_code == 200, f"{label} from {answer.headers['x-isshoni-colour']}"
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-encoding"] in ("br", "gzip")
        assert answer.text.startswith(f"console.log('{label}')")
    return {answer.headers["x-isshoni-colour"] for answer in answers}


@pytest.mark.spec("A5", "B4")
async def test_the_assets_of_both_versions_are_there_during_a_rollout_and_after(
    environment: LocalEnvironment, tmp_path: Path
) -> None:
    old, new = make_release(tmp_path, "old"), make_release(tmp_path, "new")
    await environment.up(Stable("blue", old))
    await environment.compute.start("green", new)
    await eventually_healthy(environment, blue=True, green=True)
    half = Weights(50, 50)
    await environment.traffic.apply_weights(half)

    async def verified() -> bool:
        return await environment.traffic.verify_weights() == half

    assert await wait_until(verified, 10.0)
    for label in ("old", "new"):
        assert await ask(environment, label) == {"blue", "green"}
    await environment.traffic.apply_weights(Weights(0, 100))
    await environment.compute.stop("blue")
    await eventually_healthy(environment, blue=False)
    assert await ask(environment, "old") == {"green"}
    await check_forgeries(environment)


async def check_forgeries(environment: LocalEnvironment) -> None:
    """Whoever can write to Redis must not get a browser to run what they like."""
    assets = f"{environment.addresses().public}/static/assets"
    async with (
        redis.asyncio.Redis.from_url(environment.redis_url) as link,
        httpx.AsyncClient() as http,
    ):
        ours = await link.get("isshoni:asset:app-oldhash.js")
        assert isinstance(ours, bytes)
        for forged in (b"", bytes(32) + b"alert(1)", ours + b"alert(1)", ours):
            await link.set("isshoni:asset:app-forged.js", forged)
            assert (await http.get(f"{assets}/app-forged.js")).status_code == 404
        assert (await http.get(f"{assets}/app-oldhash.js")).status_code == 200
