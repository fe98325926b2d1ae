"""The journal has who started the engine of a rollout."""

from isshoni.engine.asked_by import AskedBy, find_asker
from isshoni.engine.companions import Notes
from isshoni.engine.environment import Environment
from isshoni.engine.operations import Engine, deploy, rollback
from isshoni.rollout.model import Stable
from isshoni.rollout.plan import RolloutPlan
from tests.support.fake_environment import V1, V2, FakePorts, World
from tests.support.memory_journal import MemoryJournal
from tests.support.world_clock import WorldClock

PLAN = RolloutPlan(bake_seconds=0.5)


async def test_each_deploy_and_return_has_who_asked_for_it() -> None:
    world, journal = World(), MemoryJournal()
    journal.record_stable(Stable("blue", V1), at=world.now)
    ports = FakePorts(world)
    who = "ann (dashboard, from 10.0.0.7)"

    def gather(environment: Environment, notes: Notes) -> list[AskedBy]:
        del environment
        return [AskedBy(notes, who)]

    environment = Environment(ports, ports, ports, ports, journal)
    engine = Engine(environment, WorldClock(world), who, gather)
    deployed = await deploy(engine, V2, PLAN)
    returned = await rollback(engine)
    for rollout, work in ((deployed, "deploy of v2"), (returned, "rollback to v1")):
        asked = [r.why for r in journal.read_records(rollout.id) if r.what == "asked"]
        assert asked == [f"{work} asked by {who}"]


def test_who_asked_is_one_short_printable_line() -> None:
    assert find_asker({}) is None
    assert find_asker({"ISSHONI_ASKED_BY": ""}) is None
    assert find_asker({"ISSHONI_ASKED_BY": "ann\n\x1b[2J"}) == "ann[2J"
    assert find_asker({"ISSHONI_ASKED_BY": "a" * 500}) == "a" * 200
