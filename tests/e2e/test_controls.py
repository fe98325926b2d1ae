"""A rollout steered from another terminal, by the real commands on real processes."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from isshoni.errors import ExitCode
from tests.support.command import Command, command, finish
from tests.support.local_environments import slot_release

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Command, Path]]:
    """An environment with the test program on blue, whose behaviour files bend."""
    with command() as isshoni:
        bend = tmp_path_factory.mktemp("bend")
        up = asyncio.run(isshoni.run("up", "v1", "--command", program(bend)))
        assert up.code == 0, up.err
        yield isshoni, bend
        asyncio.run(isshoni.run("down"))


def program(bend: Path) -> str:
    return slot_release("any", bend).command or ""


@pytest.fixture
def isshoni(place: tuple[Command, Path]) -> Command:
    place[0].configure()
    return place[0]


@pytest.fixture
def deploy_v2(place: tuple[Command, Path]) -> tuple[str, ...]:
    return ("deploy", "v2", "--command", program(place[1]))


@pytest.mark.spec("C6", "C7")
async def test_deploy_is_paused_hurried_resumed_and_aborted(
    isshoni: Command, deploy_v2: tuple[str, ...]
) -> None:
    isshoni.configure(bake_seconds=60)
    engine = await isshoni.start(*deploy_v2)
    await isshoni.wait_for_step("canary 10 %")

    second = await isshoni.run("deploy", "v3")
    assert second.code == ExitCode.LEASE_HELD
    assert f"process {engine.pid}" in second.err and "deploy v2" in second.err

    planned = await isshoni.run("deploy", "v3", "--dry-run")
    assert planned.code == ExitCode.LEASE_HELD
    assert f"process {engine.pid}" in planned.err

    closes = "{} | head -n 1; echo ${PIPESTATUS[0]}"
    watching = await isshoni.start("status", "--watch", shell=closes)
    watched = await finish(watching)
    assert "v2 deploying" in watched.out and watched.out.endswith(f"{ExitCode.OUTPUT_CLOSED}\n")

    paused = await isshoni.run("pause", "--json")
    assert (paused.code, paused.json["taken"]) == (ExitCode.OK, True)
    hurried = await isshoni.run("promote", "--skip-bake")
    assert hurried.code == ExitCode.OK, hurried.err
    shown = await isshoni.status()
    assert shown["rollout"]["step"]["title"] == "canary 10 %"
    assert shown["rollout"]["paused_by"] == paused.json["rollout"]["paused_by"]
    assert (await isshoni.run("resume")).code == ExitCode.OK
    await isshoni.wait_for_step("canary 50 %")

    aborted = await isshoni.run("abort", "--json")
    assert (aborted.code, aborted.json["outcome"]) == (ExitCode.OK, "rolled_back")
    ended = await finish(engine)
    assert ended.code == ExitCode.ROLLED_BACK
    assert "pause: asked by" in ended.err


@pytest.mark.spec("C6")
async def test_controls_say_that_nothing_runs(isshoni: Command) -> None:
    for words in (["pause"], ["resume"], ["abort"], ["promote", "--skip-bake"]):
        ended = await isshoni.run(*words)
        assert ended.code == ExitCode.REFUSED
        assert "no rollout is running" in ended.err
    assert (await isshoni.run("promote")).code == ExitCode.USAGE


@pytest.mark.spec("C7")
async def test_abort_takes_over_from_a_dead_engine_and_pause_says_there_is_none(
    isshoni: Command, deploy_v2: tuple[str, ...]
) -> None:
    engine = await isshoni.start(*deploy_v2)
    await isshoni.wait_for_step("canary 50 %")
    engine.kill()
    await finish(engine)
    paused = await isshoni.run("pause")
    assert paused.code == ExitCode.REFUSED
    assert "no engine works on" in paused.err and "isshoni deploy v2" in paused.err
    planned = await isshoni.run(*deploy_v2, "--dry-run")
    assert planned.code == 0 and "would resume rollout" in planned.out
    assert "canary 50 %" in planned.out and "canary 10 %" not in planned.out
    refused = await isshoni.run("deploy", "v3", "--dry-run")
    assert refused.code == ExitCode.REFUSED and "`isshoni deploy v2` resumes it" in refused.err
    assert (await isshoni.run("abort")).code == ExitCode.OK
    assert (await isshoni.status())["seen"]["weights_verified"] == {"blue": 100, "green": 0}


@pytest.mark.spec("C6")
async def test_a_rollback_left_by_a_second_ctrl_c_is_called_a_rollback(
    place: tuple[Command, Path], isshoni: Command, deploy_v2: tuple[str, ...]
) -> None:
    isshoni.configure(bake_seconds=60, start_timeout_seconds=60)
    engine = await isshoni.start(*deploy_v2)
    await isshoni.wait_for_step("canary 10 %")
    sick = place[1] / "blue.sick"
    sick.touch()  # the rollback waits for it
    try:
        async with asyncio.timeout(20):
            while (await isshoni.status())["seen"]["colours"]["blue"]["healthy"]:
                pass
        engine.send_signal(signal.SIGINT)
        await isshoni.wait_until(lambda rollout: rollout.rollback is not None)
        engine.send_signal(signal.SIGINT)
        left = await finish(engine)
    finally:
        sick.unlink()
    assert left.code == ExitCode.INTERRUPTED
    shown = await isshoni.run("status")
    for said in (" ".join(ended.out.split()) for ended in (left, shown)):
        assert "`isshoni rollback` finishes the rollback" in said
        assert "isshoni deploy" not in said
    planned = await isshoni.run(*deploy_v2, "--dry-run")
    assert "would finish the rollback" in planned.out
    assert (await isshoni.run("rollback")).code == ExitCode.OK


@pytest.mark.spec("C6")
async def test_an_old_slot_that_is_kept_serves_again_without_a_start(
    isshoni: Command, deploy_v2: tuple[str, ...]
) -> None:
    isshoni.configure(keep_stable_seconds=60)
    engine = await isshoni.start(*deploy_v2)
    await isshoni.wait_for_step("stop the old version")
    back = await isshoni.run("rollback", "--json")
    assert (back.code, back.json["outcome"]) == (ExitCode.OK, "rolled_back")
    assert back.json["rollback_seconds"]["new_connections"] <= 2
    assert (await finish(engine)).code == ExitCode.ROLLED_BACK
    stand = await isshoni.status()
    assert stand["seen"]["colours"]["blue"]["restarts"] == 0
    assert (stand["stable"]["colour"], stand["stable"]["release"]) == ("blue", "v1")


@pytest.mark.spec("C7")
@pytest.mark.parametrize("how", ["hangup", "closed pipe"])
async def test_deploy_outlives_its_terminal(
    isshoni: Command, deploy_v2: tuple[str, ...], how: str
) -> None:
    isshoni.configure(bake_seconds=1)
    closes = "" if how == "hangup" else "2>&1 | true"
    engine = await isshoni.start(*deploy_v2, shell="{} " + closes + "; echo ended ${PIPESTATUS[0]}")
    await isshoni.wait_for_step("canary 10 %")
    if how == "hangup":
        os.kill(isshoni.read_engine_pid(), signal.SIGHUP)
    ended = await finish(engine)
    assert f"ended {ExitCode.OK}" in ended.out
    rollout = isshoni.read_rollout()
    assert rollout is not None and rollout.outcome == "promoted"
    shown = await isshoni.run("logs", "engine", "--lines", "100")
    assert shown.code == 0 and "promote the candidate" in shown.out
    told = (await isshoni.run("history", rollout.id, "--json")).json["records"]
    moved = next(record["why"] for record in told if record["what"] == "output_moved")
    assert "engine.log" in moved
    back = await isshoni.run("rollback")
    assert back.code == 0, back.err


@pytest.mark.spec("C7")
async def test_supervisor_takes_back_a_rollout_whose_engine_died(
    isshoni: Command, deploy_v2: tuple[str, ...]
) -> None:
    isshoni.configure(bake_seconds=60, unattended_seconds=1, unattended_action="rollback")
    engine = await isshoni.start(*deploy_v2)
    await isshoni.wait_for_step("canary 10 %")
    engine.kill()
    await finish(engine)
    async with asyncio.timeout(60):
        while (rollout := isshoni.read_rollout()) is None or rollout.outcome == "running":  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert (rollout.outcome, rollout.reason) == ("rolled_back", "abort asked by the supervisor")
    shown = await isshoni.run("logs", "supervisor", "--lines", "50")
    assert f"rollout {rollout.id} has no engine" in shown.out


async def test_candidate_that_never_gets_healthy_is_rolled_back_by_its_timeout(
    isshoni: Command,
) -> None:
    isshoni.configure(start_timeout_seconds=2)
    idle = f"{sys.executable} -c 'import time; time.sleep(1000)' {{port}}"
    ended = await isshoni.run("deploy", "hangs", "--command", idle)
    assert ended.code == ExitCode.ROLLED_BACK
    assert "not healthy within 2 s" in ended.out


@pytest.mark.spec("C6")
async def test_rollback_that_cannot_reach_the_stable_colour_stops_and_says_so(
    place: tuple[Command, Path], isshoni: Command, deploy_v2: tuple[str, ...]
) -> None:
    isshoni.configure(start_timeout_seconds=3, bake_seconds=60)
    engine = await isshoni.start(*deploy_v2)
    await isshoni.wait_for_step("canary 10 %")
    # Before the candidate has traffic, a sick stable colour does not hold up a rollback.
    async with asyncio.timeout(20):
        while (await isshoni.status())["seen"]["weights_verified"] != {"blue": 90, "green": 10}:
            pass
    sick = place[1] / "blue.sick"
    sick.touch()
    try:
        async with asyncio.timeout(20):
            while (await isshoni.status())["seen"]["colours"]["blue"]["healthy"]:
                pass
        stuck = await isshoni.run("rollback")
        assert stuck.code == ExitCode.STUCK
        assert "blue fails the balancer's health check" in stuck.out
        assert (await finish(engine)).code == ExitCode.STUCK
        assert (await isshoni.status())["seen"]["weights_verified"] == {"blue": 0, "green": 100}
    finally:
        sick.unlink()
    async with asyncio.timeout(20):
        while not (await isshoni.status())["seen"]["colours"]["blue"]["healthy"]:
            pass
    mended = await isshoni.run("rollback", "--json")
    assert (mended.code, mended.json["outcome"]) == (ExitCode.OK, "rolled_back")
