"""Files of any type in a session: what is taken, and how it is sent."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.integration.backend.test_session_api import PNG, SVG, open_session
from tests.support.backend import BackendProcess
from tests.support.valkey import ValkeyServer


@pytest.fixture(scope="module")
def narrow(
    valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BackendProcess]:
    """A process whose operator allows a few types."""
    log = tmp_path_factory.mktemp("narrow") / "log"
    types = "image/png, application/pdf,audio/*"
    with BackendProcess(valkey.url, log, ISSHONI_FILE_TYPES=types) as process:
        process.wait_until_ready()
        yield process


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=30) as client:
        yield client


@pytest.mark.spec("A7")
async def test_a_file_of_any_type_is_kept_and_sent_to_be_saved_and_not_shown(
    backend: BackendProcess, http: httpx.AsyncClient, session_id: str
) -> None:
    await open_session(backend, session_id)
    contents = {
        "application/pdf": b"%PDF-1.7",
        "text/plain": b"<html><script>alert(1)</script></html>",
        "application/vnd.ms-excel": b"\xd0\xcf\x11\xe0",
        "": bytes(range(256)),
        "x/y": b"",
    }
    for number, (media_type, content) in enumerate(contents.items()):
        url = f"{backend.url}/sessions/{session_id}/files/f{number}"
        headers = {"content-type": media_type}
        assert (await http.put(url, content=content, headers=headers)).status_code == 201
        sent = await http.get(url)
        assert (sent.status_code, sent.content) == (200, content)
        assert sent.headers["content-type"] == "application/octet-stream"
        assert sent.headers["content-disposition"] == "attachment"
        assert sent.headers["x-content-type-options"] == "nosniff"
        (policy,) = sent.headers.get_list("content-security-policy")
        assert policy.startswith("default-src 'none'") and policy.endswith("sandbox")


@pytest.mark.spec("A7")
async def test_only_the_types_that_the_operator_allows_are_taken(
    narrow: BackendProcess, http: httpx.AsyncClient, session_id: str
) -> None:
    await open_session(narrow, session_id)
    expected = [
        ("image/png", PNG, 201),
        ("application/pdf", b"%PDF", 201),
        ("audio/mpeg", b"ID3", 201),
        ("image/svg+xml", SVG, 415),
        # What is an SVG is sent as one: another name for it does not help.
        ("application/pdf", SVG, 415),
        ("text/plain", b"hi", 415),
        ("", b"hi", 415),
    ]
    for number, (media_type, content, status) in enumerate(expected):
        url = f"{narrow.url}/sessions/{session_id}/files/f{number}"
        answer = await http.put(url, content=content, headers={"content-type": media_type})
        assert (media_type, answer.status_code) == (media_type, status)
        if status == 415:
            assert answer.json()["code"] == "type_not_allowed"
