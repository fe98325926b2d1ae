"""Tokens through the whole local environment: minted by the command, asked for by a slot."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.environment import LocalEnvironment
from isshoni.rollout.model import Release, Stable
from tests.support.local_environments import FREE_PORTS, state_directory


def _mint(state_dir: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "isshoni.cli", "token", *arguments],
        env=os.environ | {"ISSHONI_STATE_DIR": str(state_dir)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout.strip()


@pytest.mark.spec("A7")
async def test_a_minted_token_opens_an_environment_that_asks_for_one() -> None:
    with state_directory() as state_dir:
        environment = LocalEnvironment(
            LocalConfig(state_dir=state_dir, ports=FREE_PORTS, auth=True)
        )
        await environment.up(Stable("blue", Release("v1")))
        url = f"ws://127.0.0.1:{environment.ports.public}/ws/team"
        async with connect(url, proxy=None) as stranger:
            with pytest.raises(ConnectionClosed):
                await stranger.recv()
            assert stranger.close_code == 4401
        token = _mint(state_dir, "team", "--subject", "ann", "--role", "read")
        async with connect(f"{url}?token={token}", proxy=None) as ann:
            await ann.send('{"type":"restore_session","session_id":"team"}')
            permit = json.loads(await ann.recv())["permit"]
        assert (permit["subject"], permit["role"]) == ("ann", "read")
