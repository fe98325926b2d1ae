"""Clients arrive at the pace that is asked for, and no faster than they are restored."""

import asyncio

import pytest

from isshoni.client.client import SessionClient
from isshoni.verify.crowd import WHOLE, Crowd, Share
from isshoni.verify.settings import RunSettings
from isshoni.verify.users import Books
from tests.support.waiting import wait_until

SETTINGS = RunSettings(clients=50, sessions=10, connects_per_second=40.0, join_seconds=30.0)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[SessionClient]:
    """The clients that began to connect; none of them ever joins by itself."""
    started: list[SessionClient] = []
    monkeypatch.setattr(SessionClient, "start", lambda client: started.append(client))
    return started


@pytest.mark.parametrize(("share", "at_a_time"), [(WHOLE, 40), (Share(1, 2, "run"), 20)])
async def test_no_more_are_on_their_way_than_arrive_in_a_second(
    started: list[SessionClient], share: Share, at_a_time: int
) -> None:
    crowd = Crowd("ws://127.0.0.1:1", SETTINGS, Books(), share=share)
    connecting = asyncio.create_task(crowd.connect())
    # The last one before the limit is counted while it begins.
    await wait_until(lambda: len(started) == at_a_time + 1, "a full second of arrivals")
    await asyncio.sleep(0.3)
    assert len(started) == at_a_time + 1
    for user in crowd.users[:3]:
        user.timeline.record_restored(0.0, "blue", "v1")
    await wait_until(lambda: len(started) == at_a_time + 4, "three more")
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting


def test_the_shares_of_a_run_have_each_user_once_and_no_session_twice() -> None:
    settings = RunSettings(clients=50, sessions=7, restless=5, passing=4)
    whole = Crowd("ws://127.0.0.1:1", settings, Books())
    shares = [
        Crowd("ws://127.0.0.1:1", settings, Books(), share=Share(index, 3, "run"))
        for index in range(3)
    ]
    assert sum(len(crowd.users) for crowd in shares) == len(whole.users)
    assert sum(len(crowd.restless) for crowd in shares) == len(whole.restless)
    sessions = [
        {user.session_id for user in c.users} | {user.session_id for user in c.restless}
        for c in shares
    ]
    assert sum(map(len, sessions)) == len(set.union(*sessions)) == 7
