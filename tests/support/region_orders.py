"""What the tests of two regions do and see again and again."""

from typing import Any

from isshoni.environments.waiting import wait_until
from isshoni.rollout.errors import EnvironmentFault
from isshoni.rollout.failover.actions import Follow, Promote, Switch, WriteRecord
from isshoni.rollout.failover.model import RegionRecord, RegionSeen
from isshoni.rollout.failover.ports import Regions
from isshoni.verify.ports import DeployReport
from tests.support.aws.two_regions import REGIONS, TwoRegions


async def see(regions: Regions, name: str, expected: object, attribute: str) -> RegionSeen:
    """Observe a region until an attribute is as expected."""
    seen = await regions.observe(name)

    async def is_so() -> bool:
        nonlocal seen
        seen = await regions.observe(name)
        return bool(getattr(seen, attribute) == expected)

    assert await wait_until(is_so, 30.0), seen
    return seen


async def perform(regions: Regions, *actions: object) -> None:
    """Do actions as an engine does: again while one fails."""
    for action in actions:
        fault: EnvironmentFault | None = None

        async def is_done(action: object = action) -> bool:
            nonlocal fault
            try:
                await regions.perform(action)  # type: ignore[arg-type]
            except EnvironmentFault as its:
                fault = its
                return False
            return True

        assert await wait_until(is_done, 30.0), fault


async def return_to_first(regions: Regions, first: str, second: str) -> None:
    """Let the first region serve again."""
    terms = [(await regions.observe(each)).record for each in (first, second)]
    term = max(record.term for record in terms if record is not None) + 1
    await perform(
        regions,
        Promote(first),
        Follow(second, first),
        WriteRecord(first, RegionRecord(term, first)),
        Switch(first),
    )
    await see(regions, second, RegionRecord(term, first), "record")


async def find_term(regions: Regions, name: str) -> int:
    record = (await regions.observe(name)).record
    return record.term if record else 0


async def run_well(pair: TwoRegions, *words: str) -> Any:
    ended = await pair.run(*words, "--json")
    assert ended.code == 0, ended.err
    return ended.json


async def see_status(pair: TwoRegions) -> dict[str, Any]:
    regions: dict[str, Any] = (await run_well(pair, "status"))["regions"]
    return regions


class Operator:
    """Deploys a version to both regions, or lets a region serve that is named in its place."""

    def __init__(self, pair: TwoRegions) -> None:
        self._pair = pair
        self.deployed: Any = None

    async def deploy(self, version: str) -> DeployReport:
        if version in REGIONS:
            done = await run_well(self._pair, "failover", "--to", version)
        else:
            done = self.deployed = await run_well(self._pair, "deploy", version)
        return DeployReport(done["outcome"], reason=done["reason"])
