"""The rights that docs/redis.md lists suffice, and readiness misses none of them."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.backend import BackendProcess
from tests.support.valkey import ValkeyServer, require_redis_server

DOCS = Path(__file__).parents[3] / "docs" / "redis.md"
USER, PASSWORD = "isshoni", "secret"
GRANTED = re.search(rf"^ACL SETUSER {USER} on >PASSWORD (.+)$", DOCS.read_text(), re.M)
assert GRANTED is not None, "docs/redis.md shows no ACL any more"
RIGHTS = GRANTED[1].split()
REVOKED = {
    "~*": "resetkeys",
    "&*": "resetchannels",
    "+@read": "-@read",
    "+@write": "-@write",
    "+@scripting": "-@scripting",
    "+@pubsub": "-@pubsub",
    "+@connection": "-@connection",
    "+time": "-time",
}
OPTIONAL = {"+info"}


def test_each_right_in_the_docs_is_tried() -> None:
    assert set(RIGHTS) == REVOKED.keys() | OPTIONAL


@pytest.fixture(params=["valkey", "redis7"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ValkeyServer]:
    program = require_redis_server() if request.param == "redis7" else None
    with ValkeyServer(tmp_path / "data", fsync="everysec", program=program) as server:
        grant(server, *RIGHTS)
        yield server


def grant(server: ValkeyServer, *rules: str) -> None:
    answer = server.command("ACL", "SETUSER", USER, "reset", "on", f">{PASSWORD}", *rules)
    assert answer.startswith(b"+OK"), answer


def read_reason(backend: BackendProcess) -> str:
    answer = httpx.get(backend.url + "/readyz", timeout=10)
    return "" if answer.status_code == 200 else str(answer.json()["reason"])


@pytest.mark.spec("A9")
async def test_the_documented_rights_suffice_and_each_that_is_missing_is_named(
    server: ValkeyServer, tmp_path: Path
) -> None:
    url = server.url.replace("redis://", f"redis://{USER}:{PASSWORD}@")
    with BackendProcess(url, tmp_path / "log") as backend:
        backend.wait_until_ready()
        assert backend.admin("GET", "/admin/proof").json()["fault"] is None
        for right, revoke in REVOKED.items():
            # All connections too: what is open keeps some of its rights.
            grant(server, *RIGHTS, revoke)
            server.command("CLIENT", "KILL", "USER", USER)
            backend.wait_until(lambda: backend.get("/readyz") == 503)
            told: list[str] = []

            def is_named(right: str = right, told: list[str] = told) -> bool:
                told.append(read_reason(backend))
                rule = re.search(r"give the user of REDIS_URL (\S+);", told[-1])
                return rule is not None and (rule[1] == right or "@" in right)

            backend.wait_until(is_named)
            assert backend.admin("GET", "/admin/proof").json()["redis"] is False
            grant(server, *RIGHTS)
            backend.wait_until_ready()
        client = await backend.join("s", client_id="ann")
        await client.chat(1)
        assert (await client.read("ack"))["seq"] == 1
        await client.close()


@pytest.mark.spec("A9")
async def test_a_right_that_is_taken_while_it_serves_is_noticed_and_logged_once(
    server: ValkeyServer, tmp_path: Path
) -> None:
    url = server.url.replace("redis://", f"redis://{USER}:{PASSWORD}@")
    with BackendProcess(url, tmp_path / "log") as backend:
        backend.wait_until_ready()
        grant(server, *RIGHTS, "-time")
        backend.wait_until(lambda: "+time" in read_reason(backend))
        for _ in range(10):
            backend.get("/readyz")
        assert backend.log.count("event=not_ready") == 1
        grant(server, *RIGHTS)
        backend.wait_until_ready()
        backend.wait_until(lambda: backend.log.count("event=ready_again") == 1)


def test_nothing_of_it_stays_in_redis(server: ValkeyServer, tmp_path: Path) -> None:
    url = server.url.replace("redis://", f"redis://{USER}:{PASSWORD}@")
    with BackendProcess(url, tmp_path / "log") as backend:
        backend.wait_until_ready()
        assert backend.status()["sessions"] == 0
    keys = server.command("KEYS", "*~ready-*")
    assert keys.startswith(b"*0"), keys
