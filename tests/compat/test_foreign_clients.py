"""Stock y-websocket, pycrdt's own provider and our client, drawing together through a deploy."""

import asyncio

import pytest

from tests.support.foreign_clients import Crowd, draw_together, has_y_websocket
from tests.support.installation import installation

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not has_y_websocket(), reason="NOT RUN: needs node and `npm ci`"),
]


@pytest.mark.spec("A4", "B1", "C4")
async def test_no_edit_of_any_client_is_lost_through_a_deploy() -> None:
    crowd = Crowd(stock=6, pycrdt=3, own=3, every_seconds=0.1)
    with installation(bake_seconds=0.3) as platform:
        platform.up()
        url = platform.status()["address"]

        async def deploy() -> None:
            done = await asyncio.to_thread(platform.run, "deploy", "v1.1")
            assert done.returncode == 0, done.stderr

        outcome = await draw_together(url, "together", crowd, deploy)
    assert len(outcome.documents) == 12
    assert len(outcome.drawn) > 100
    assert outcome.lost == 0
    # A client that does not know of moves is cut, once or more, and comes back by itself.
    assert len(outcome.stock_gaps_ms) >= crowd.stock
    assert len(outcome.pycrdt_gaps_ms) >= crowd.pycrdt
