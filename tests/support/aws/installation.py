"""An environment on the stand-in, used by the `isshoni` command only."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from isshoni.environments.aws.api import AwsApi
from isshoni.environments.aws.dynamo_journal import DynamoJournal
from isshoni.rollout.model import COLOURS
from isshoni.rollout.state import Rollout
from tests.support.aws.account import make_account
from tests.support.aws.moto_server import REGION, aws_environment
from tests.support.aws.stand_in import StandIn
from tests.support.command import Ended, finish
from tests.support.valkey import ValkeyServer

CONFIG = """
[environments.staging]
kind = "aws"
terraform = "{composition}"
terraform_program = "{program}"
name = "{name}"
look_seconds = 0.5
public_url = "{url}"
{more}

[environments.staging.rollout]
{rollout}
"""

QUICK: dict[str, float | list[int]] = {
    "weights": [50, 100],
    "bake_seconds": 0.5,
    "start_timeout_seconds": 60,
    "weight_timeout_seconds": 30,
    "migrate_within_seconds": 5,
    "drain_timeout_seconds": 10,
    "observe_seconds": 0.25,
}


class StagingCommand:
    """Runs `isshoni … --environment staging`, where AWS is a server on this machine."""

    def __init__(
        self,
        directory: Path,
        stand_in: StandIn,
        *,
        composition: Path,
        name: str,
        program: str,
        environ: Mapping[str, str],
    ) -> None:
        self.directory = directory
        self.stand_in = stand_in
        self.composition = composition
        self.name = name
        self.program = program
        self._environ = {**environ, "AWS_ENDPOINT_URL": stand_in.front.url}
        self.configure()

    @property
    def outputs(self) -> Mapping[str, Any]:
        return self.stand_in.outputs

    def configure(self, more: str = "", **settings: float | list[int]) -> None:
        """Write the configuration: a quick rollout, but for these settings of it."""
        lines = "\n".join(f"{name} = {value}" for name, value in (QUICK | settings).items())
        written = CONFIG.format(
            composition=self.composition,
            name=self.name,
            program=self.program,
            url=self.stand_in.url,
            more=more,
            rollout=lines,
        )
        (self.directory / "isshoni.toml").write_text(written)

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        """Start a command."""
        words = (*words, "--environment", "staging")
        return await self.start_program(Path.cwd(), sys.executable, "-m", "isshoni.cli", *words)

    async def start_program(self, folder: Path, *words: str) -> asyncio.subprocess.Process:
        """Start a command as it is typed in a folder; `isshoni` is the one under test."""
        config = {"ISSHONI_CONFIG": str(self.directory / "isshoni.toml")}
        path = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        return await asyncio.create_subprocess_exec(
            *words,
            cwd=folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self._environ, **config, **path},
        )

    async def run(self, *words: str) -> Ended:
        """Run a command to its end."""
        return await finish(await self.start(*words))

    def open_journal(self) -> DynamoJournal:
        return DynamoJournal(self.stand_in.api, self.outputs["journal_table"])

    def read_rollout(self) -> Rollout | None:
        """Read the latest rollout from the journal."""
        latest = self.open_journal().read_latest()
        return latest.rollout if latest else None

    async def wait_until(self, reached: Callable[[Rollout], bool], seconds: float = 90.0) -> None:
        """Wait until something is so of the rollout that runs."""
        before = await asyncio.to_thread(self.read_rollout)
        async with asyncio.timeout(seconds):
            while True:
                rollout = await asyncio.to_thread(self.read_rollout)
                if rollout and rollout.outcome == "running" and reached(rollout):
                    return
                new = rollout and (before is None or rollout.id != before.id)
                assert not (rollout and new) or rollout.outcome == "running", rollout.reason
                await asyncio.sleep(0.4)

    async def status(self) -> Any:
        """Give how things stand."""
        return (await self.run("status", "--json")).json


@contextlib.contextmanager
def staging(directory: Path, endpoint: str, machines: int = 2) -> Iterator[StagingCommand]:
    """Make an account, and a balancer with machines that follow it; nothing runs yet."""
    api = AwsApi(REGION, timeout_seconds=30.0)
    account = make_account(api)
    composition = directory / "composition"
    for colour in COLOURS:
        (composition / colour).mkdir(parents=True)
    (composition / "account.json").write_text(account.write(machines))
    with valkey(directory) as redis:
        stand_in = StandIn(directory, api, account.outputs, endpoint, redis.url)
        with stand_in.running():
            yield StagingCommand(
                directory,
                stand_in,
                composition=composition,
                name=account.name,
                program=str(write_program(directory)),
                environ=aws_environment(endpoint),
            )


@contextlib.contextmanager
def valkey(directory: Path) -> Iterator[ValkeyServer]:
    """Run what ElastiCache would."""
    redis = ValkeyServer(directory / "redis")
    redis.start()
    try:
        yield redis
    finally:
        redis.kill()


def write_program(directory: Path) -> Path:
    """Make the stand-in of Terraform a program."""
    source = Path(__file__).with_name("terraform_program.py")
    program = directory / "terraform"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -SEs {source} "$@"\n')
    program.chmod(0o755)
    return program
