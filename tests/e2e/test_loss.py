"""The loss benchmark, in small: an unmodified chat deployed through Isshoni."""

import pytest
from benchmarks.loss import run_all
from benchmarks.support.loss_runs import ISSHONI, Effort

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


async def test_stock_clients_of_a_deployed_chat_see_no_close_and_lose_nothing() -> None:
    effort = Effort(clients=6, rooms=2, messages_per_second=3.0, seconds=1.0)
    rows, failures = await run_all(["fastapi"], [ISSHONI], effort, print)
    assert failures == {}
    (row,) = rows
    assert row["outcome"] == ["done"]
    assert (row["closes"], row["cut"], row["gap max"]) == (0, 0, 0.0)
    assert (row["lost"], row["doubled"], row["reordered"]) == (0, 0, 0)
