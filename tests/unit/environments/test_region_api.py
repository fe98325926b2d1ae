"""What the engine says when a process of a region refuses a record."""

import pytest

from isshoni.environments import region_api
from isshoni.environments.http import Answer
from isshoni.environments.region_api import send_record
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.failover.model import RegionRecord

REFUSAL = b'{"detail":{"reason":"Redis refused: NOREPLICAS","region":{"name":"east","term":15}}}'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (REFUSAL, "answered 503: Redis refused: NOREPLICAS"),
        (b'{"detail":"this process knows of no regions"}', "this process knows of no regions"),
        (b"\xff not JSON", "answered 503: \ufffd not JSON"),
        (b"", "answered 503"),
    ],
)
async def test_a_refused_record_shows_the_reason(
    monkeypatch: pytest.MonkeyPatch, content: bytes, words: str
) -> None:
    async def ask(url: str, **_: object) -> Answer:
        return Answer(503, content)

    monkeypatch.setattr(region_api, "ask", ask)
    with pytest.raises(EnvironmentFault) as refused:
        await send_record("http://127.0.0.1:1", "token", RegionRecord(2, ""))
    assert words in str(refused.value)
    assert "detail" not in str(refused.value) or content != REFUSAL
