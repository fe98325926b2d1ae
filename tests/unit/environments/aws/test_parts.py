"""The pure parts of the AWS environment."""

import asyncio
from typing import cast

import msgspec
import pytest

from isshoni.environments.aws.alb import AlbTraffic, weights_in
from isshoni.environments.aws.api import Answer, AwsApi
from isshoni.environments.aws.compute import check_release
from isshoni.environments.aws.dynamo_journal import read_past
from isshoni.environments.aws.dynamo_table import Row
from isshoni.environments.aws.errors import NotThere, OutputsFault
from isshoni.environments.aws.outputs import ByColour, Outputs, fetch_outputs
from isshoni.environments.aws.remembered import Remembered, changing
from isshoni.environments.aws.shared_clock import SharedClock
from isshoni.environments.aws.targets import Target, Targets, are_healthy
from isshoni.environments.counters import GrowingCounters
from isshoni.environments.errors import ReleaseFault
from isshoni.environments.joined_status import join_migrations, join_statuses
from isshoni.rollout.model import BackendStatus, Formats, MigrationStatus, Release, Stable, Weights

BOTH = ByColour("arn:blue", "arn:green")
OUTPUTS = Outputs("eu-west-1", "https://a", "l", BOTH, BOTH, BOTH, BOTH, "table", "secret", "topic")


def forward(**shares: int) -> list[dict[str, object]]:
    groups = [{"TargetGroupArn": f"arn:{name}", "Weight": w} for name, w in shares.items()]
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]


def test_weights_are_read_only_from_our_own_action() -> None:
    assert weights_in(forward(blue=90, green=10), OUTPUTS) == Weights(90, 10)
    assert weights_in(forward(blue=100), OUTPUTS) == Weights(100, 0)
    assert weights_in(forward(blue=1, green=1), OUTPUTS) is None
    assert weights_in(forward(blue=90, other=10), OUTPUTS) is None
    assert weights_in([{"Type": "redirect"}], OUTPUTS) is None


@pytest.mark.parametrize(
    ("states", "healthy"),
    [
        (["healthy", "healthy"], True),
        (["healthy"], False),
        (["healthy", "healthy", "draining"], True),
        (["healthy", "healthy", "unhealthy"], False),
        (["healthy", "initial"], False),
        (["draining", "draining"], False),
        ([], False),
    ],
)
def test_a_colour_is_healthy_when_all_its_targets_are(states: list[str], healthy: bool) -> None:
    targets = tuple(Target(f"i-{n}", state) for n, state in enumerate(states))
    assert are_healthy(targets, wanted=2) is healthy


async def test_slot_with_a_sick_machine_is_not_whole_but_serves() -> None:
    class Sick:
        async def observe(self) -> dict[str, tuple[Target, ...]]:
            return {
                "blue": (Target("i-1", "healthy"), Target("i-2", "unhealthy")),
                "green": (Target("i-3", "draining"),),
            }

    traffic = AlbTraffic.__new__(AlbTraffic)
    traffic._targets = cast(Targets, Sick())
    assert await traffic.observe_serving() == {"blue": True, "green": False}


def a_status(**changes: object) -> BackendStatus:
    whole: dict[str, object] = {
        "version": "v1", "ready": True, "draining": False, "connections": 2, "sessions": 1,
        "counters": {"restores": 5}, "gauges": {"cpu_pct": 10.0}, **changes,
    }  # fmt: skip
    return BackendStatus(**whole)  # type: ignore[arg-type]


def test_instances_are_joined_by_sums_and_worst_values() -> None:
    slow = a_status(
        gauges={"cpu_pct": 70.0}, ready=False, not_ready_reason="no Redis", limit="it is full"
    )
    joined = join_statuses({"i-1": a_status(), "i-2": slow}, GrowingCounters())
    assert joined is not None
    assert (joined.connections, joined.sessions, joined.counters) == (4, 2, {"restores": 10})
    assert joined.gauges == {"cpu_pct": 70.0}
    assert (joined.ready, joined.not_ready_reason) == (False, "i-2: no Redis")
    assert joined.limit == "it is full"


def test_counters_do_not_fall_when_an_instance_is_removed() -> None:
    growing = GrowingCounters()
    join_statuses({"i-1": a_status(), "i-2": a_status()}, growing)
    joined = join_statuses({"i-1": a_status()}, growing)
    assert joined is not None and joined.counters == {"restores": 10}


def test_joined_formats_are_all_that_any_writes_and_every_one_reads() -> None:
    old, new = Formats(("chat:1",), ("chat:1",)), Formats(("chat:2",), ("chat:1", "chat:2"))
    statuses = {"i-1": a_status(formats=old), "i-2": a_status(formats=new)}
    joined = join_statuses(statuses, GrowingCounters())
    assert joined is not None and joined.formats == Formats(("chat:1", "chat:2"), ("chat:1",))


def test_a_move_that_an_instance_does_not_know_is_requested_again() -> None:
    done = MigrationStatus("green", 3, 3, 0, 0, done=True, rate_per_second=10, share_pct=50)
    assert join_migrations([done, done]) == MigrationStatus(
        "green", 6, 6, 0, 0, done=True, rate_per_second=20, share_pct=50
    )
    partly = join_migrations([done, None])
    assert partly is not None and not partly.done and partly.rate_per_second < 1
    assert join_migrations([None, None]) is None


def test_a_release_on_aws_is_an_image_version_and_nothing_else() -> None:
    check_release(Release("v1"))
    for release in (Release("v1", source="git:x"), Release("v1", command="uvicorn"),
                    Release("v1", ready_path="/up")):  # fmt: skip
        with pytest.raises(ReleaseFault, match="image"):
            check_release(release)


def test_a_stable_row_of_an_older_version_is_read_and_mended() -> None:
    one, two, three = (Stable("blue", Release(label)) for label in ("v1", "v2", "v3"))
    written = {s.release.label: msgspec.json.encode(s).decode() for s in (one, two, three)}
    old: Row = {"present": written["v2"], "previous": written["v1"], "revision": 2}
    assert read_past(old) == [two, one]
    past = msgspec.json.encode([two, one]).decode()
    later: Row = {"present": written["v3"], "previous": written["v2"], "past": past, "revision": 3}
    assert read_past(later) == [three, two, one]
    stale: Row = {"present": written["v3"], "previous": written["v1"], "past": past, "revision": 9}
    assert read_past(stale) == [three, one]


class _Parameters:
    """An API that has one parameter, or none."""

    region = "eu-west-1"

    def __init__(self, value: str | None) -> None:
        self._value = value

    async def call(self, service: str, operation: str, **arguments: object) -> Answer:
        assert (service, operation) == ("ssm", "get_parameter")
        assert arguments == {"Name": "/isshoni/engine"}
        if self._value is None:
            raise NotThere("ssm get_parameter", "ParameterNotFound")
        return {"Parameter": {"Value": self._value}}


@pytest.mark.parametrize(
    ("value", "why"), [('{"region": "eu-west-1"}', "public_url"), (None, "it does not exist")]
)
async def test_outputs_that_lack_something_say_what_and_what_to_do(
    value: str | None, why: str
) -> None:
    with pytest.raises(
        OutputsFault, match=rf"/isshoni/engine in eu-west-1.*{why}.*-chdir=here apply"
    ):
        await fetch_outputs(cast(AwsApi, _Parameters(value)), "isshoni", "here")


def test_a_lease_ends_at_one_time_for_clocks_that_differ() -> None:
    fast, slow = SharedClock(lambda: 1_000_600.0), SharedClock(lambda: 999_400.0)
    for clock in (fast, slow):
        clock.measure("Mon, 12 Jan 1970 13:46:40 GMT")  # 1,000,000 by the server
    ends = fast.to_shared(1_000_605.0)
    assert abs(slow.to_local(ends) - 999_405.0) < 1e-6
    assert slow.margin_seconds > 0
    slow.measure("yesterday, perhaps")
    assert abs(slow.to_local(ends) - 999_405.0) < 1e-6


async def test_one_read_serves_all_waiting_callers_even_if_one_is_cancelled() -> None:
    begun, go = 0, asyncio.Event()

    async def read() -> int:
        nonlocal begun
        begun += 1
        await go.wait()
        return begun

    remembered = Remembered(read, 60.0)
    impatient, patient = (asyncio.create_task(remembered.get()) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    go.set()
    assert (await patient, await remembered.get()) == (1, 1)
    remembered.forget()
    assert await remembered.get() == 2


async def test_a_failed_read_is_repeated() -> None:
    results = iter([ValueError("once"), None])

    async def read() -> str:
        if fault := next(results):
            raise fault
        return "seen"

    remembered = Remembered(read, 60.0)
    with pytest.raises(ValueError, match="once"):
        await remembered.get()
    assert await remembered.get() == "seen"


async def test_no_observation_after_a_request_returns_a_value_from_before_it() -> None:
    state, has_read, slow_answer = "old", asyncio.Event(), asyncio.Event()

    async def read() -> str:
        seen = state
        has_read.set()
        await slow_answer.wait()
        return seen

    remembered = Remembered(read, 60.0)
    before = asyncio.create_task(remembered.get())
    await has_read.wait()
    with pytest.raises(TimeoutError), changing(remembered):
        state = "new"
        raise TimeoutError  # the order's own answer is lost
    slow_answer.set()
    assert await remembered.get() == "new"
    assert (await before, await remembered.get()) == ("old", "new")
