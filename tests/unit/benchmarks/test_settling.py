"""How long a ledger of stock clients is waited for."""

from tests.support.example_crowd import SETTLE_PAUSES, Member, hears_all, settle


class SlowCrowd:
    """Clients whose last message arrives at the third look, or never."""

    def __init__(self, *, loses: bool) -> None:
        self.looks, self._loses = 0, loses

    async def start(self) -> None:
        """Do nothing."""

    async def stop(self) -> None:
        """Do nothing."""

    async def report(self) -> list[Member]:
        """Return one client, and what it has by now."""
        self.looks += 1
        has_it = self.looks >= 3 and not self._loses
        return [Member("m0", "r0", sent=["m0:0"], got=["m0:0"] if has_it else [])]


async def test_settling_ends_with_the_first_look_that_misses_nothing() -> None:
    crowd = SlowCrowd(loses=False)
    members = await settle(crowd, hears_all, (0.0,) * 10)
    assert (members[0].got, crowd.looks) == (["m0:0"], 3)


async def test_a_lost_message_costs_few_looks_in_all_of_the_15_seconds() -> None:
    crowd = SlowCrowd(loses=True)
    members = await settle(crowd, hears_all, (0.0,) * len(SETTLE_PAUSES))
    assert (members[0].got, crowd.looks) == ([], 1 + len(SETTLE_PAUSES))
    assert len(SETTLE_PAUSES) < 10
    assert round(sum(SETTLE_PAUSES), 3) == 15.0
