"""kill -9 of a backend that has a spare: real people, and how long they were away."""

import os
import signal

import pytest

from isshoni.client import SessionClient
from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.environment import LocalEnvironment
from isshoni.environments.local.programs import Observed, ProgramFiles
from isshoni.environments.local.supervision import supervisor_pid
from isshoni.environments.waiting import wait_until
from isshoni.rollout.model import Release, Stable
from tests.integration.client.recorder import Recorder
from tests.support.local_environments import (
    FREE_PORTS,
    eventually_healthy,
    kill,
    state_directory,
)

PATIENCE_SECONDS = 30.0


def seen_on_blue(environment: LocalEnvironment) -> Observed:
    seen = ProgramFiles(environment.config.state_dir).observed("blue")
    assert seen is not None
    return seen


async def wait_for_spare(environment: LocalEnvironment, times: int) -> None:
    """Wait until a spare has loaded everything and holds the sockets, the `times`th on blue."""
    log = environment.compute.log_path("blue")
    ready = await wait_until(lambda: log.read_text().count("spare_ready") == times, 30.0)
    assert ready, log.read_text()


@pytest.mark.e2e
@pytest.mark.spec("C8")
async def test_the_spare_takes_over_from_a_backend_that_hangs() -> None:
    with state_directory() as state_dir:
        config = LocalConfig(state_dir=state_dir, ports=FREE_PORTS, hang_seconds=4.0)
        environment = LocalEnvironment(config)
        await environment.up(Stable("blue", Release("v1")))
        await wait_for_spare(environment, times=1)
        assert await wait_until(lambda: seen_on_blue(environment).answered, 30.0)
        first = seen_on_blue(environment)
        assert first.pid is not None
        os.kill(first.pid, signal.SIGSTOP)
        assert await wait_until(lambda: seen_on_blue(environment).restarts == 1, 60.0)
        second = seen_on_blue(environment)
        assert second.pid == first.spare_pid
        assert second.last_exit is not None and second.last_exit.startswith("it hung: no answer")
        await eventually_healthy(environment, blue=True)
        slots = await environment.compute.observe_slots()
        assert (slots["blue"].restarts, slots["blue"].last_exit) == (1, second.last_exit)
        await environment.down()


@pytest.mark.e2e
@pytest.mark.spec("B1", "C8")
async def test_clients_reconnect_at_once_when_a_backend_is_killed(
    environment: LocalEnvironment,
) -> None:
    await environment.up(Stable("blue", Release("v1")))
    recorder = Recorder()
    url = environment.addresses().public.replace("http", "ws", 1)
    async with SessionClient(url, "team", listener=recorder) as client:
        await wait_for_spare(environment, times=1)
        first = seen_on_blue(environment)
        assert first.pid is not None and first.spare_pid is not None
        client.send_chat("before")
        assert await wait_until(lambda: len(recorder.acks) == 1, PATIENCE_SECONDS)

        kill(first.pid)
        client.send_chat("while it is dead")
        assert await wait_until(lambda: len(recorder.acks) == 2, PATIENCE_SECONDS)
        # Loading takes a second and more, several on a busy machine; taking over does not.
        assert recorder.gap_seconds() < 1.0

        assert await wait_until(lambda: seen_on_blue(environment).restarts == 1, 10.0)
        second = seen_on_blue(environment)
        assert second.pid == first.spare_pid
        assert second.last_exit is not None and second.last_exit.startswith("signal 9 (SIGKILL)")
        assert "took_over" not in second.last_exit

        await wait_for_spare(environment, times=2)
        supervisor = supervisor_pid(environment.config.state_dir)
        assert supervisor is not None
        kill(supervisor)  # nobody is left to give an order
        assert second.pid is not None
        kill(second.pid)
        client.send_chat("with nobody to see to it")
        assert await wait_until(lambda: len(recorder.acks) == 3, PATIENCE_SECONDS)
        assert recorder.texts == ["before", "while it is dead", "with nobody to see to it"]
    await environment.down()
    assert ProgramFiles(environment.config.state_dir).observed("blue") is None
