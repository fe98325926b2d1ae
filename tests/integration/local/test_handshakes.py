"""Large headers through the balancer: what it takes, the backend takes too."""

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.environment import LocalEnvironment
from isshoni.rollout.model import Release, Stable
from tests.support.local_environments import FREE_PORTS, state_directory


async def test_what_the_balancer_takes_opens_a_socket() -> None:
    with state_directory() as state_dir:
        environment = LocalEnvironment(LocalConfig(state_dir=state_dir, ports=FREE_PORTS))
        await environment.up(Stable("blue", Release("v1")))
        url = f"ws://127.0.0.1:{environment.ports.public}/ws/team"
        for size in (12_000, 59_000):
            headers = {"Cookie": "sso=" + "x" * size}
            async with connect(url, additional_headers=headers, proxy=None) as socket:
                await socket.send('{"type":"restore_session","session_id":"team"}')
                assert "session_restored" in str(await socket.recv())
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, additional_headers={"Cookie": "x" * 70_000}, proxy=None)
        assert refused.value.response.status_code == 431
