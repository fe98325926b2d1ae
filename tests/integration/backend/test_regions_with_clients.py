"""Live clients of two regions: planned failovers, two regions that both wrote, an old primary."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from isshoni.client import SessionClient
from isshoni.client.listener import ClientListener, ConnectionChange, ConnectionState
from isshoni.session.from_server import ChatEvent
from isshoni.session.region import RegionMac, RegionRecord
from tests.support.backend import TICKET_SECRET
from tests.support.regions import TestRegion, settle
from tests.support.waiting import wait_until

Regions = tuple[TestRegion, TestRegion]
MACS = RegionMac(TICKET_SECRET)


class User(ClientListener):
    """A client, what it was acknowledged, and what it has seen."""

    def __init__(self, region: TestRegion, session_id: str, name: str) -> None:
        url = region.address.replace("http://", "ws://")
        self.name = name
        self.acknowledged: list[str] = []
        self.seen: list[str] = []
        self.changes: list[ConnectionChange] = []
        self._texts: dict[int, str] = {}
        self.client = SessionClient(url, session_id, client_id=name, listener=self)

    def on_ack(self, n: int, seq: int | None, at: float) -> None:
        self.acknowledged.append(self._texts[n])

    def on_chat(self, event: ChatEvent, at: float) -> None:
        self.seen.append(event.text)

    def on_log_restarted(self, at: float) -> None:
        self.seen.clear()

    def on_connection(self, change: ConnectionChange, at: float) -> None:
        self.changes.append(change)

    def say(self, text: str) -> None:
        self._texts[self.client.send_chat(text)] = text

    @property
    def region(self) -> str | None:
        return self.changes[-1].region

    @property
    def losses(self) -> int:
        return sum(change.state is ConnectionState.LOST for change in self.changes)


@asynccontextmanager
async def joined(region: TestRegion, session_id: str, *names: str) -> AsyncIterator[list[User]]:
    async with AsyncExitStack() as stack:
        users = [User(region, session_id, name) for name in names]
        for user in users:
            await stack.enter_async_context(user.client)
            assert await user.client.wait_until_restored(30)
        yield users


async def until_saved(users: list[User]) -> None:
    for user in users:
        assert await user.client.wait_until_saved(30), user.name


async def in_thread(work: object) -> None:
    assert callable(work)
    await asyncio.to_thread(work)


def expect_each_once(users: list[User], said: list[str]) -> None:
    for user in users:
        assert sorted(user.seen) == sorted(said), user.name
        for name in {text.split("-")[0] for text in said}:
            of_one = [text for text in user.seen if text.split("-")[0] == name]
            assert of_one == sorted(of_one, key=lambda text: int(text.split("-")[1])), user.name


async def test_a_planned_failover_moves_clients_without_a_gap_and_loses_nothing(
    regions: Regions,
) -> None:
    east, west = regions
    async with joined(east, "planned", "ann", "bob", "cyd") as users:
        said: list[str] = []
        stop = asyncio.Event()

        async def talk() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                for user in users:
                    said.append(f"{user.name}-{number}")
                    user.say(said[-1])
                    user.client.draw(f"{user.name}-{number}", {"id": f"{user.name}-{number}"})
                await asyncio.sleep(0.02)

        talking = asyncio.create_task(talk())
        plain = await east.backend.join("planned", client_id="plain", can=["migrate"])

        def fail_over() -> None:
            term = east.status()["term"]
            stamp = east.set(term + 1, None)["stamp"]
            west.wait_for(lambda status: status["term"] == term + 1 and status["stamp"] >= stamp)
            west.promote()
            west.set(term + 2, "west")
            west.backend.wait_until_ready()
            east.follow(west)

        await in_thread(fail_over)
        order = {"to": "west", "address": west.address, "rate_per_second": 100}
        answer = east.backend.admin("POST", "/admin/migrate", {**order, "within_seconds": 20})
        assert answer.status_code == 202, answer.text
        await wait_until(lambda: {user.region for user in users} == {"west"}, "all have moved")
        assert await plain.close_code() == 1012
        await wait_until(lambda: len(said) > 30, "they go on to talk")
        stop.set()
        await talking
        await until_saved(users)
        await wait_until(lambda: all(len(user.seen) == len(said) for user in users), "all arrived")
        expect_each_once(users, said)
        assert [user.losses for user in users] == [0, 0, 0]
        assert [user.changes[-1].gap_seconds for user in users] == [0.0] * 3
        assert len(users[0].client.elements) == len(said)
        assert east.status()["waiting"] == 0
        await in_thread(lambda: settle(east, west))
        assert east.backend.status()["migration"] is None


async def test_two_regions_that_both_wrote_under_one_log_lose_no_acknowledged_message(
    regions: Regions,
) -> None:
    east, west = regions
    async with joined(east, "split", "ann", "bob") as before:
        said = ["ann-1", "bob-1"]
        for user in before:
            user.say(f"{user.name}-1")
        await until_saved(before)
        last = east.status()["term"]
        await in_thread(lambda: west.wait_for(lambda status: status["standby_ready"]))
        west.promote()  # east is not asked: it still believes that it writes
        west.set(last + 2, "west")
        await in_thread(west.backend.wait_until_ready)
        async with joined(west, "split", "cyd", "dan") as after:
            assert (east.status()["state"], west.status()["state"]) == ("serving", "serving")
            for number in range(2, 6):
                for user in (*before, *after):
                    said.append(f"{user.name}-{number}")
                    user.say(said[-1])
                    user.client.draw(said[-1], {"id": said[-1]})
            users = [*before, *after]
            await until_saved(users)
            assert sum(len(user.acknowledged) for user in users) == len(said)
            await in_thread(lambda: east.follow(west))
            await in_thread(lambda: east.wait_for(lambda status: status["state"] == "standby"))
            order = {"to": "west", "address": west.address, "rate_per_second": 100}
            east.backend.admin("POST", "/admin/migrate", {**order, "within_seconds": 20})
            await wait_until(lambda: {user.region for user in users} == {"west"}, "all are there")
            await wait_until(
                lambda: all(sorted(user.seen) == sorted(said) for user in users), "all is there"
            )
            await wait_until(
                lambda: all(len(user.client.elements) == 16 for user in users), "all is drawn"
            )
            expect_each_once(users, said)
            east.backend.admin("POST", "/admin/migrate/cancel")


async def test_an_old_primary_fences_itself_when_a_client_proves_that_another_region_writes(
    regions: Regions,
) -> None:
    east, _ = regions
    term = east.status()["term"]
    forged = MACS.sign(RegionRecord(term + 1, "west"))[:-1]
    for harmless in (
        forged + "A" if forged[-1] != "A" else forged + "B",
        "x",
        MACS.sign(RegionRecord(term, "west")),
        MACS.sign(RegionRecord(term + 9, "")),
        MACS.sign(RegionRecord(term + 9, "east")),
    ):
        client = await east.backend.join("proof", region_proof=harmless)
        await client.close()
    assert east.status()["state"] == "serving"
    other = await east.backend.join("proof", client_id="other")
    knowing = await east.backend.connect("proof")
    await knowing.send(
        type="restore_session",
        session_id="proof",
        region_proof=MACS.sign(RegionRecord(term + 2, "west")),
    )
    assert await knowing.close_code() == 1012
    assert await other.close_code() == 1012
    status = east.wait_for(lambda status: status["state"] == "standby")
    assert (status["term"], status["writer"]) == (term + 2, "west")
    assert b"west" in east.redis.command("HGET", "isshoni:region", "writer")


async def test_clients_of_an_earlier_version_see_nothing_of_regions(regions: Regions) -> None:
    east, _ = regions
    client = await east.backend.connect("earlier")
    restored = await client.restore(client_id="ann", can=["migrate", "canvas"])
    assert restored["region"] == "east"
    assert restored["alternatives"]
    assert MACS.verify(restored["region_proof"]) is not None
    page = east.request("GET", "/")
    policy = page.headers["content-security-policy"]
    west_url = restored["alternatives"][0]
    assert f"connect-src 'self' data: blob: {west_url} {west_url.replace('http', 'ws')};" in policy
    await client.close()
